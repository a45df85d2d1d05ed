import type { BenchOptions, Measured } from '../bench.ts';
import { startClaimers } from './claimers.ts';
import { fleetOf, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { profiled } from './profiled.ts';
import { startSite } from './site.ts';

const SIZE = 1_000_000;

/** From the start of the first scheduler's process to its first claim, and what it takes. */
export const cold = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using site = await startSite({ fleet, store: 'etcd', bench: options });
  await writePast(site, options);
  const othersUs = async () => [site.storeCpuUs(), await site.neighboursCpuUs()] as const;
  const [storeUs, neighboursUs] = await othersUs();
  const startedMs = performance.timeOrigin + performance.now();
  await using scheduler = await site.startScheduler();
  await using claimers = await startClaimers(site, [scheduler], 2);
  const servedMs = await profiled(scheduler, { options, name: 'cold' }, () =>
    claimers.firstClaim(SERVING_LIMIT_MS),
  );
  const seconds = (servedMs - startedMs) / 1000;
  const cpuSeconds = (await scheduler.child.ask<number>('cpuUs')) / 1e6;
  const mainSeconds = (await scheduler.child.ask<number>('threadCpuUs')) / 1e6;
  const [storeAfterUs, neighboursAfterUs] = await othersUs();
  const { rssBytes, mostBytes } = await scheduler.memory();
  const mib = (bytes: number) => Math.round(bytes / 1024 ** 2);
  const live = await scheduler.child.ask<number>('liveHeapBytes', {}, 60_000);
  options.note(
    `${fleet.size}: serves after ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU, ` +
      `${mainSeconds.toFixed(1)} of them the main thread; ` +
      `etcd ${((storeAfterUs - storeUs) / 1e6).toFixed(1)}, ` +
      `inventory ${((neighboursAfterUs - neighboursUs) / 1e6).toFixed(1)}), ` +
      `has ${mib(rssBytes)} MiB, at most ${mib(mostBytes)} MiB, ` +
      `of them ${mib(live)} MiB of heap without garbage`,
  );
  const one = { samples: 1 };
  return [
    { figure: `cold_leader_serves@${fleet.size}`, value: seconds, unit: 's', ...one },
    { figure: `cold_leader_memory@${fleet.size}`, value: mostBytes, unit: 'B', ...one },
  ];
};
