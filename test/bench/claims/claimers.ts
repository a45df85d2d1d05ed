import type { Child } from '../child.ts';
import { startChild } from '../child.ts';
import { quantile } from '../median.ts';
import type { Connection, LoadReport, Verb } from '../subjects/claim-load.ts';
import type { Scheduler, Site } from './site.ts';

/** Claimers in processes of their own, all connected. */
export type Claimers = AsyncDisposable & {
  readonly processes: readonly Child[];
  /** Waits for the first claim that can be made; answers when that was, as wall time. */
  readonly firstClaim: (limitMs: number) => Promise<number>;
  /** Each claimer makes so many claims and keeps them. */
  readonly fill: (each: number) => Promise<Round>;
  /** All go round for that long. */
  readonly run: (durationMs: number) => Promise<Round>;
};

export type Round = {
  readonly rpcs: number;
  readonly rpcsPerSecond: number;
  readonly claimsPerSecond: number;
  /** Of all calls, in milliseconds. */
  readonly latencies: readonly number[];
  readonly byVerb: Readonly<Record<Verb, readonly number[]>>;
  /** Answers that were no claim, by verb and reason. */
  readonly refusals: Readonly<Record<string, number>>;
};

const PROCESSES = 2;
const GRACE_MS = 60_000;

export const startClaimers = async (
  { callerPem, fleet }: Pick<Site, 'callerPem' | 'fleet'>,
  schedulers: readonly Pick<Scheduler, 'address'>[],
  count: number,
): Promise<Claimers> => {
  await using cleanup = new AsyncDisposableStack();
  const processes: Child[] = [];
  for (let at = 0; at < PROCESSES; at += 1) {
    const child = cleanup.use(startChild('subjects/claim-load.ts'));
    const first = Math.floor((count * at) / PROCESSES);
    const connection: Connection = {
      pem: callerPem,
      addresses: schedulers.map(({ address }) => address),
      fleet,
      first,
      count: Math.floor((count * (at + 1)) / PROCESSES) - first,
    };
    await child.ask('connect', connection);
    processes.push(child);
  }
  const owned = cleanup.move();
  const askAll = async (verb: string, args: object, limitMs: number): Promise<Round> =>
    roundOf(await Promise.all(processes.map((one) => one.ask<LoadReport>(verb, args, limitMs))));
  return {
    processes,
    firstClaim: async (limitMs) => {
      const [first] = processes;
      if (first === undefined) throw new Error('There are no claimers');
      return first.ask<number>('firstClaim', { limitMs }, limitMs + GRACE_MS);
    },
    fill: (each) => askAll('fill', { each }, GRACE_MS),
    run: (durationMs) => askAll('run', { durationMs }, durationMs + GRACE_MS),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

const roundOf = (reports: readonly LoadReport[]): Round => {
  const of = (verb: Verb) => reports.flatMap(({ latencies }) => latencies[verb]);
  const byVerb = { create: of('create'), begin: of('begin'), finish: of('finish') };
  const latencies = Object.values(byVerb).flat();
  const seconds = Math.max(...reports.map(({ elapsedMs }) => elapsedMs)) / 1000;
  const refusals: Record<string, number> = {};
  for (const [reason, count] of reports.flatMap((one) => Object.entries(one.refusals))) {
    refusals[reason] = (refusals[reason] ?? 0) + count;
  }
  return {
    rpcs: latencies.length,
    rpcsPerSecond: latencies.length / seconds,
    claimsPerSecond: byVerb.create.length / seconds,
    latencies,
    byVerb,
    refusals,
  };
};

export const describeRound = (round: Round): string => {
  const ms = (values: readonly number[], at: number) => quantile(values, at).toFixed(1);
  const refused = Object.entries(round.refusals).map(([reason, count]) => `${count} × ${reason}`);
  return [
    `${Math.round(round.rpcsPerSecond)} RPCs/s`,
    `${Math.round(round.claimsPerSecond)} claims made/s`,
    `p50 ${ms(round.latencies, 0.5)} ms`,
    `p99 ${ms(round.latencies, 0.99)} ms`,
    `create p99 ${ms(round.byVerb.create, 0.99)} ms`,
    ...(refused.length === 0 ? [] : [`refused: ${refused.join(', ')}`]),
  ].join(', ');
};
