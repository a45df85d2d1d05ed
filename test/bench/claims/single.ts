import { logPrefix } from '../../../services/scheduler/domain/keys.ts';
import type { Coordination } from '../../../services/store/coordination/port.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { startChild } from '../child.ts';
import { PARTITION } from '../fleet/fleet.ts';
import { median, quantile } from '../median.ts';
import { describeRound, type Round, startClaimers } from './claimers.ts';
import { meterCpu } from './cpu-meter.ts';
import { ECHO_COMMAND, startEcho } from './echo.ts';
import { CLIENTS, fleetOf, HELD_EACH, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { profiled } from './profiled.ts';
import { startSite } from './site.ts';

/** The most for which the embedded mode is meant. */
const EMBEDDED_SIZE = 10_000;

type Curve = { readonly size: number; readonly rpcsPerSecond: number };

/** Steady create and release at 80 % full, at each size; what the sizes cost shows in the curve. */
export const single = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const measured: Measured[] = [];
  const curve: Curve[] = [];
  for (const size of options.sizes) {
    options.signal.throwIfAborted();
    const { rounds, echo, rpcsPerSecond } = await measure(size, 'etcd', options);
    measured.push(...rowsOf(size, rounds, { echo, rpcsPerSecond }));
    curve.push({ size, rpcsPerSecond });
  }
  return [...measured, ...flatness(curve)];
};

/** The largest fleet beside the smallest. */
const flatness = (curve: readonly Curve[]): readonly Measured[] => {
  const [first, last] = [curve.at(0), curve.at(-1)];
  if (first === undefined || last === undefined || curve.length < 2) return [];
  return [
    {
      figure: `claim_rpcs_beside_smallest@${last.size}`,
      value: last.rpcsPerSecond,
      limit: first.rpcsPerSecond,
      limitCommand: `npm run bench -- claims --only single --sizes ${first.size}`,
      unit: 'RPCs/s',
      samples: 1,
    },
  ];
};

/** For one machine: the coordinator is in the scheduler's process, and waits for the disk. */
export const embedded = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const size = sizeUpTo(EMBEDDED_SIZE, options);
  const { rounds, rpcsPerSecond, rawCommits } = await measure(size, 'embedded', options);
  return [
    {
      figure: `claim_rpcs_embedded@${size}`,
      value: rpcsPerSecond,
      limit: rawCommits,
      limitCommand: 'node test/bench/limits/raw-commits.ts',
      unit: 'RPCs/s',
      samples: rounds.length,
    },
  ];
};

const measure = async (size: number, store: 'etcd' | 'embedded', options: BenchOptions) => {
  const fleet = fleetOf(size);
  await using site = await startSite({ fleet, store, bench: options });
  await writePast(site, options);
  await using scheduler = await site.startScheduler();
  await using claimers = await startClaimers(site, [scheduler], CLIENTS);
  await using echo = await startEcho();
  await using raw = startChild('limits/raw-commits.ts');
  await claimers.firstClaim(SERVING_LIMIT_MS);
  const filled = await claimers.fill(HELD_EACH);
  options.note(`${size} providers, first claims: ${describeRound(filled)}`);
  const turnMs = options.quick ? 1_500 : 4_000;
  // Until V8 has compiled what is hot, all are several times slower.
  await claimers.run(turnMs);
  await echo.run(CLIENTS, 1_000);
  const rounds: Round[] = [];
  const echoes: number[] = [];
  const raws: number[] = [];
  const turns = async () => {
    for (let turn = 0; turn < (options.quick ? 3 : 8); turn += 1) {
      options.signal.throwIfAborted();
      const spent = await meterCpu({ site, scheduler, callers: claimers.processes });
      const round = await claimers.run(turnMs);
      const cpu = await spent(round.rpcs);
      echoes.push(await echo.run(CLIENTS, 800));
      if (store === 'embedded') raws.push(await raw.ask<number>('run', { durationMs: 800 }));
      options.note(
        `${size}: ${describeRound(round)}; ${cpu}; echo ${Math.round(echoes.at(-1) ?? 0)}/s`,
      );
      rounds.push(round);
    }
  };
  await profiled(scheduler, { options, name: `${store}-${size}` }, turns);
  const { mostBytes } = await scheduler.memory();
  options.note(
    `${size}: scheduler at most ${Math.round(mostBytes / 1024 ** 2)} MiB, ` +
      `${store === 'etcd' ? await waitingLogs(site.coordination()) : 'some'} commits wait for history`,
  );
  const rpcsPerSecond = median(rounds.map((round) => round.rpcsPerSecond));
  return { rounds, echo: median(echoes), rpcsPerSecond, rawCommits: median(raws) };
};

const rowsOf = (
  size: number,
  rounds: readonly Round[],
  { echo, rpcsPerSecond }: { readonly echo: number; readonly rpcsPerSecond: number },
): readonly Measured[] => {
  const samples = rounds.length;
  const all = rounds.flatMap(({ latencies }) => latencies);
  return [
    { figure: `claim_rpcs@${size}`, value: rpcsPerSecond, unit: 'RPCs/s', samples },
    {
      figure: `claim_rpcs_beside_echo@${size}`,
      value: rpcsPerSecond,
      limit: echo,
      limitCommand: ECHO_COMMAND,
      unit: 'RPCs/s',
      samples,
    },
    { figure: `claim_rpc_p99@${size}`, value: quantile(all, 0.99), unit: 'ms', samples },
  ];
};

const CALL_MS = 10_000;

/** Commits that the collector has not copied into SQL yet. */
const waitingLogs = async (coordination: Coordination): Promise<number> => {
  const prefix = logPrefix(PARTITION);
  let count = 0;
  for (let after: string | undefined; ; ) {
    const page = await coordination.range(
      { prefix, ...(after !== undefined && { after }) },
      AbortSignal.timeout(CALL_MS),
    );
    count += page.keys.length;
    after = page.keys.at(-1)?.key;
    if (!page.more) return count;
  }
};
