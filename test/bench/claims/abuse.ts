import type { BenchOptions, Measured } from '../bench.ts';
import { type Child, startChild } from '../child.ts';
import { quantile } from '../median.ts';
import type { AbuseReport } from '../subjects/claim-abuse.ts';
import { describeRound, type Round, startClaimers } from './claimers.ts';
import { fleetOf, HELD_EACH, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { profiled } from './profiled.ts';
import { startSite } from './site.ts';

const HONEST = 56;
const ABUSERS = 8;
const SIZE = 10_000;

/** Honest claimers alone and beside eight that send what must be refused, in turn. */
export const abuse = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using site = await startSite({ fleet, store: 'etcd', bench: options });
  await writePast(site, options);
  await using scheduler = await site.startScheduler();
  await using claimers = await startClaimers(site, [scheduler], HONEST);
  await using abusers = startChild('subjects/claim-abuse.ts');
  const { address } = scheduler;
  await abusers.ask('connect', { pem: site.callerPem, address, fleet, count: ABUSERS });
  await claimers.firstClaim(SERVING_LIMIT_MS);
  await claimers.fill(HELD_EACH);
  const turnMs = options.quick ? 1_500 : 5_000;
  await claimers.run(turnMs);
  const alone: Round[] = [];
  const beside: Round[] = [];
  const turns = async () => {
    for (let turn = 0; turn < (options.quick ? 2 : 6); turn += 1) {
      options.signal.throwIfAborted();
      alone.push(await claimers.run(turnMs));
      const [abused, round] = await Promise.all([abuseFor(abusers, turnMs), claimers.run(turnMs)]);
      beside.push(round);
      options.note(`alone: ${describeRound(alone.at(-1) ?? nothing())}`);
      options.note(`abused: ${describeRound(beside.at(-1) ?? nothing())}; ${abused}`);
    }
  };
  await profiled(scheduler, { options, name: 'abuse' }, turns);
  const p99 = (rounds: readonly Round[]) =>
    quantile(
      rounds.flatMap((one) => one.latencies),
      0.99,
    );
  return [
    {
      figure: `honest_p99_beside_abusers@${fleet.size}`,
      value: p99(beside),
      limit: p99(alone),
      limitCommand: 'npm run bench -- claims --only abuse',
      unit: 'ms',
      samples: beside.length,
    },
  ];
};

const nothing = (): never => {
  throw new Error('There was no round');
};

/** What the abusers were told, for people. */
const abuseFor = async (abusers: Child, durationMs: number): Promise<string> => {
  const report = await abusers.ask<AbuseReport>('run', { durationMs }, durationMs + 60_000);
  return Object.entries(report)
    .map(([kind, { count, p99Ms }]) => `${count} × ${kind} (p99 ${p99Ms.toFixed(0)} ms)`)
    .join(', ');
};
