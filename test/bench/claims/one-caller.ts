import type { BenchOptions, Measured } from '../bench.ts';
import { startChild } from '../child.ts';
import { quantile } from '../median.ts';
import { startClaimers } from './claimers.ts';
import { fleetOf, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { profiled } from './profiled.ts';
import { startSite } from './site.ts';

const SIZE = 100_000;
const MACHINES = 100;
const TOGETHER = 8;

type Asked = {
  readonly figure: string;
  readonly verb: 'spread' | 'windows';
  readonly machines: number;
  readonly bookings: boolean;
  readonly samples: number;
};

/** A hundred machines all or nothing, spread over racks. */
export const spread = (options: BenchOptions): Promise<readonly Measured[]> => {
  const machines = Math.min(MACHINES, Math.floor(sizeUpTo(SIZE, options) / 50));
  const samples = options.quick ? 10 : 100;
  return ask({ figure: 'spread_p99', verb: 'spread', machines, bookings: false, samples }, options);
};

/** When several of one rack could be free, where each provider is booked once more. */
export const windows = (options: BenchOptions): Promise<readonly Measured[]> => {
  const samples = options.quick ? 20 : 200;
  const asked = { verb: 'windows', machines: TOGETHER, bookings: true, samples } as const;
  return ask({ figure: 'find_windows_p99', ...asked }, options);
};

const ask = async (asked: Asked, options: BenchOptions): Promise<readonly Measured[]> => {
  const { verb, machines, samples, bookings } = asked;
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using site = await startSite({ fleet, store: 'etcd', bench: options });
  await writePast(site, options, { bookings });
  await using scheduler = await site.startScheduler();
  {
    await using first = await startClaimers(site, [scheduler], 2);
    await first.firstClaim(SERVING_LIMIT_MS);
  }
  await using caller = startChild('subjects/claim-caller.ts');
  const { address } = scheduler;
  await caller.ask('connect', { pem: site.callerPem, address, fleet });
  const run = (count: number) =>
    caller.ask<number[]>(verb, { machines, samples: count }, count * 5_000 + 30_000);
  // Until V8 has compiled what is hot, it is several times slower.
  await run(Math.ceil(samples / 4));
  const name = `${verb}-${fleet.size}`;
  const latencies = await profiled(scheduler, { options, name }, () => run(samples));
  const ms = (share: number) => quantile(latencies, share);
  options.note(
    `${fleet.size}: ${verb} of ${machines}: p50 ${ms(0.5).toFixed(1)}, p99 ${ms(0.99).toFixed(1)} ms`,
  );
  return [{ figure: `${asked.figure}@${fleet.size}`, value: ms(0.99), unit: 'ms', samples }];
};
