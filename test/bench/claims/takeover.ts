import { systemClock } from '../../../services/runtime/clock.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { median } from '../median.ts';
import { startClaimers } from './claimers.ts';
import { CLIENTS, fleetOf, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { type Scheduler, startSite } from './site.ts';

/** So many providers hold 100 000 claims of one machine. */
const SIZE = 120_000;
const LOAD_MS = 2_000;

const LOOK_MS = 500;
/** Of the processor, in a look; a replica that takes in what is known uses all of it. */
const BUSY_SHARE = 0.3;

/** A standby that has just started is not warm yet: it is when it has nothing more to do. */
const warmedUp = async ({ child }: Scheduler, signal: AbortSignal): Promise<void> => {
  for (let before = 0; ; ) {
    const now = await child.ask<number>('cpuUs');
    if (before > 0 && now - before < LOOK_MS * 1000 * BUSY_SHARE) return;
    before = now;
    await systemClock.sleep(LOOK_MS, signal);
  }
};

/** From kill -9 of the leader under load to the first claim that its standby grants. */
export const takeover = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using site = await startSite({ fleet, store: 'etcd', bench: options });
  await writePast(site, options);
  let replicas: readonly Scheduler[] = [await site.startScheduler(), await site.startScheduler()];
  const seconds: number[] = [];
  for (let sample = 0; sample < (options.quick ? 1 : 3); sample += 1) {
    options.signal.throwIfAborted();
    for (const replica of replicas) await warmedUp(replica, options.signal);
    await using claimers = await startClaimers(site, replicas, CLIENTS);
    await claimers.firstClaim(SERVING_LIMIT_MS);
    await claimers.run(LOAD_MS);
    const address = await site.leader(options.signal);
    const leader = replicas.find((one) => one.address === address);
    if (leader === undefined) throw new Error(`Nobody of ours leads, but ${address}`);
    const killedMs = performance.timeOrigin + performance.now();
    leader.kill();
    const servedMs = await claimers.firstClaim(SERVING_LIMIT_MS);
    seconds.push((servedMs - killedMs) / 1000);
    options.note(`${fleet.size}: served again after ${seconds.at(-1)?.toFixed(2)} s`);
    await leader[Symbol.asyncDispose]();
    replicas = [...replicas.filter((one) => one !== leader), await site.startScheduler()];
  }
  return [
    {
      figure: `takeover@${fleet.size}`,
      value: median(seconds),
      unit: 's',
      samples: seconds.length,
    },
  ];
};
