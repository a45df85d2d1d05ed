import { randomBytes } from 'node:crypto';
import { startChild } from '../child.ts';
import type { FleetBegun } from '../subjects/bmc-fleet.ts';
import type { Swept } from '../subjects/redfish-sweep.ts';

export const LATENCY_MS = 50;
/** So many controllers at once: each waits most of the time. */
const CONCURRENCY = 256;
const SWEEP_LIMIT_MS = 300_000;

/** A fleet in one process and what sweeps it in another. */
export type RedfishFleet = AsyncDisposable & {
  /** Seconds; throws where one controller was not read. */
  readonly sweep: (verb: string, more?: object) => Promise<number>;
  /** Answers that the fleet gave so far. */
  readonly requests: () => Promise<number>;
  /** CPU time so far in microseconds: the driver's process, and the fleet's. */
  readonly cpuUs: () => Promise<readonly [number, number]>;
};

export const startRedfishFleet = async (count: number): Promise<RedfishFleet> => {
  await using parts = new AsyncDisposableStack();
  const fleet = parts.use(startChild('subjects/bmc-fleet.ts'));
  const sweeper = parts.use(startChild('subjects/redfish-sweep.ts'));
  const credentials = { user: 'bench', password: randomBytes(9).toString('base64url') };
  const asked = { count, latencyMs: LATENCY_MS, ...credentials };
  const { redfish: urls } = await fleet.ask<FleetBegun>('begin', asked, SWEEP_LIMIT_MS);
  const sweep = async (verb: string, more: object = {}): Promise<number> => {
    const task = { urls, credentials, concurrency: CONCURRENCY, ...more };
    const { ms, failed } = await sweeper.ask<Swept>(verb, task, SWEEP_LIMIT_MS);
    if (failed > 0) throw new Error(`${failed} of ${count} controllers were not read`);
    return ms / 1000;
  };
  const open = parts.move();
  return {
    ...{ sweep, requests: () => fleet.ask<number>('requests') },
    cpuUs: async () => [await sweeper.ask<number>('cpuUs'), await fleet.ask<number>('cpuUs')],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
};
