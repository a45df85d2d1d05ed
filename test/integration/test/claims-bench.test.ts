import { startClaimers } from '../../bench/claims/claimers.ts';
import { startSite } from '../../bench/claims/site.ts';
import { createFleet } from '../../bench/fleet/fleet.ts';
import { recordsOf } from '../../bench/fleet/records.ts';
import { needs } from '../../needs.ts';

const { test } = needs('etcd');
const FLEET = { size: 200, seed: 3 };

for (const store of ['etcd', 'embedded'] as const) {
  test(`the claims bench fills a small fleet and goes round on it, ${store}`, async (t) => {
    t.log(`seed ${FLEET.seed}`);
    const { signal } = new AbortController();
    const bench = { quick: true, only: [], sizes: [FLEET.size], note: t.log.bind(t), signal };
    await using site = await startSite({ fleet: FLEET, store, bench });
    const past = {
      fill: 0.5,
      machinesPerClaim: 1,
      bookings: false,
      nowMs: Math.round(performance.timeOrigin),
    };
    const written = await site.write(recordsOf(createFleet(FLEET), past));
    t.true(written > FLEET.size);
    await using scheduler = await site.startScheduler();
    await using claimers = await startClaimers(site, [scheduler], 4);
    await claimers.firstClaim(30_000);
    const filled = await claimers.fill(2);
    t.deepEqual(filled.refusals, {});
    t.is(filled.byVerb.create.length, 8);
    const round = await claimers.run(300);
    t.deepEqual(round.refusals, {});
    t.true(round.byVerb.finish.length > 0, 'what is given back is given back to the end');
    t.is(round.byVerb.finish.length, round.byVerb.create.length);
  });
}
