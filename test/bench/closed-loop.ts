import { quantile } from './median.ts';

export type Load = {
  /** Calls that run at once. */
  readonly concurrency: number;
  readonly durationMs: number;
  readonly call: () => Promise<void>;
};
export type LoadResult = {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of this process for one call, in microseconds. */
  readonly cpuUs: number;
};

/** Keeps that many calls running for that long; each begins when the one before has its answer. */
export const closedLoop = async (load: Load): Promise<LoadResult> => {
  const latenciesMs: number[] = [];
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + load.durationMs;
  const worker = async () => {
    for (let now = performance.now(); now < endMs; ) {
      await load.call();
      const done = performance.now();
      latenciesMs.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: load.concurrency }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return {
    calls: latenciesMs.length,
    callsPerSecond: (latenciesMs.length * 1000) / (performance.now() - startMs),
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    cpuUs: (user + system) / latenciesMs.length,
  };
};
