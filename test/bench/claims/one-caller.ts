import type { Coordination } from '../../../services/store/coordination/port.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { startChild } from '../child.ts';
import { quantile } from '../median.ts';
import { startClaimers } from './claimers.ts';
import { fleetOf, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { profiled } from './profiled.ts';
import { rawLatencies, watchCommits } from './raw-loop.ts';
import { startSite } from './site.ts';

const SIZE = 100_000;
const MACHINES = 100;
const TOGETHER = 8;

/** Of a hundred samples the p99 would be the slowest one. */
const SPREAD_SAMPLES = 400;
/** The scheduler and its limit are asked in turn, since the disk is not alike all the time. */
const TURNS = 5;

/** A hundred machines all or nothing, spread over racks, beside the mere puts of such claims. */
export const spread = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  const machines = Math.min(MACHINES, Math.floor(fleet.size / 50));
  const samples = options.quick ? 10 : SPREAD_SAMPLES;
  await using asking = await startAsking({ verb: 'spread', machines, bookings: false }, options);
  const { coordination } = asking;
  await using commits = watchCommits(coordination);
  await asking.run(Math.max(5, Math.ceil(samples / 16)));
  const captured = await commits.end();
  const ours: number[] = [];
  const raw: number[] = [];
  await asking.profiled(async () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      options.signal.throwIfAborted();
      ours.push(...(await asking.run(samples / TURNS)));
      raw.push(...(await rawLatencies(coordination, captured, samples / TURNS)));
    }
  });
  options.note(`${fleet.size}: spread of ${machines}: ${describe(ours)}; raw ${describe(raw)}`);
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(ours, share) / quantile(raw, share));
  options.note(`${fleet.size}: ${p50?.toFixed(1)} and ${p99?.toFixed(1)} times the raw puts`);
  return [
    {
      figure: `spread_p99@${fleet.size}`,
      value: quantile(ours, 0.99),
      limit: quantile(raw, 0.99),
      limitCommand: 'npm run bench -- claims --only spread',
      unit: 'ms',
      samples,
    },
  ];
};

/** When several of one rack could be free, where each provider is booked once more. */
export const windows = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  const samples = options.quick ? 20 : 200;
  const asked = { verb: 'windows', machines: TOGETHER, bookings: true } as const;
  await using asking = await startAsking(asked, options);
  await asking.run(Math.ceil(samples / 4));
  const latencies = await asking.profiled(() => asking.run(samples));
  options.note(`${fleet.size}: windows of ${TOGETHER}: ${describe(latencies)}`);
  const value = quantile(latencies, 0.99);
  return [{ figure: `find_windows_p99@${fleet.size}`, value, unit: 'ms', samples }];
};

const describe = (latencies: readonly number[]): string => {
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(latencies, share).toFixed(1));
  return `p50 ${p50}, p99 ${p99} ms`;
};

type Asked = {
  readonly verb: 'spread' | 'windows';
  readonly machines: number;
  readonly bookings: boolean;
};

type Asking = AsyncDisposable & {
  readonly coordination: Coordination;
  /** How long each of so many took. The first are several times slower: V8 compiles what is hot. */
  readonly run: (samples: number) => Promise<readonly number[]>;
  readonly profiled: <T>(work: () => Promise<T>) => Promise<T>;
};

/** One caller, who asks one thing after the other. */
const startAsking = async (
  { verb, machines, bookings }: Asked,
  options: BenchOptions,
): Promise<Asking> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using cleanup = new AsyncDisposableStack();
  const site = cleanup.use(await startSite({ fleet, store: 'etcd', bench: options }));
  await writePast(site, options, { bookings });
  const scheduler = cleanup.use(await site.startScheduler());
  {
    await using first = await startClaimers(site, [scheduler], 2);
    await first.firstClaim(SERVING_LIMIT_MS);
  }
  const caller = cleanup.use(startChild('subjects/claim-caller.ts'));
  const { address } = scheduler;
  await caller.ask('connect', { pem: site.callerPem, address, fleet });
  const owned = cleanup.move();
  return {
    coordination: site.coordination(),
    run: (samples) => caller.ask<number[]>(verb, { machines, samples }, samples * 5_000 + 30_000),
    profiled: (work) => profiled(scheduler, { options, name: `${verb}-${fleet.size}` }, work),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
