import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** A process's metrics in the text form of Prometheus, and the ones that every RPC feeds. */
export type Metrics = {
  readonly registry: Registry;
  readonly rpc: RpcMetrics;
  /** The text that /metrics answers with. */
  readonly text: () => Promise<string>;
  readonly contentType: string;
};

export type RpcMetrics = {
  readonly count: (method: string, code: string, seconds: number) => void;
};

/**
 * `withProcess` adds CPU, memory and event-loop lag of this process; one such registry per process.
 */
export const createMetrics = ({ withProcess = false } = {}): Metrics => {
  const registry = new Registry();
  if (withProcess) collectDefaultMetrics({ register: registry });
  return {
    registry,
    rpc: createRpcMetrics(registry),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
};

const createRpcMetrics = (registry: Registry): RpcMetrics => {
  const registers = [registry];
  const calls = new Counter({
    name: 'runm_rpc_calls_total',
    help: 'Calls served, by method and status code',
    labelNames: ['method', 'code'],
    registers,
  });
  const durations = new Histogram({
    name: 'runm_rpc_duration_seconds',
    help: 'Time from the arrival of a call to its end, by method and status code',
    labelNames: ['method', 'code'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60],
    registers,
  });
  // Looking a label pair up costs prom-client more than counting; both sets are fixed by the
  // contract.
  const known = new Map<string, (seconds: number) => void>();
  return {
    count: (method, code, seconds) => {
      const key = `${method} ${code}`;
      let count = known.get(key);
      if (count === undefined) {
        const counter = calls.labels(method, code);
        const histogram = durations.labels(method, code);
        count = (value) => {
          counter.inc();
          histogram.observe(value);
        };
        known.set(key, count);
      }
      count(seconds);
    },
  };
};
