/**
 * grpc.health.v1 for load balancers and `grpc_health_probe`: no credentials are asked, nothing but
 * up or down is told.
 */
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../../gen/grpc/health/v1/health_pb.ts';
import { notFound } from '../errors.ts';
import { type Implementation, implement } from '../service.ts';

export type HealthBoard = {
  /** Whether a service ("" = the process as a whole) serves now. The first call makes it known. */
  readonly set: (service: string, isServing: boolean) => void;
  /** Everything down, for the drain. */
  readonly setAll: (isServing: boolean) => void;
  readonly isServing: (service: string) => boolean | undefined;
  readonly services: () => readonly string[];
  /** Called after each change until the returned function is called. */
  readonly onChange: (listener: () => void) => () => void;
};

/** The process as a whole begins as not serving. */
export const createHealthBoard = (): HealthBoard => {
  const states = new Map<string, boolean>([['', false]]);
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  return {
    set: (service, isServing) => {
      if (states.get(service) === isServing) return;
      states.set(service, isServing);
      tell();
    },
    setAll: (isServing) => {
      for (const service of states.keys()) states.set(service, isServing);
      tell();
    },
    isServing: (service) => states.get(service),
    services: () => [...states.keys()],
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};

export const healthService = (board: HealthBoard): Implementation =>
  implement(Health, {
    check: ({ service }) => {
      const isServing = board.isServing(service);
      if (isServing === undefined) {
        throw notFound('NOT_FOUND', `No service "${service}" is known here`, {
          metadata: { name: service },
        });
      }
      return { status: isServing ? Status.SERVING : Status.NOT_SERVING };
    },
    async *watch({ service }, context) {
      let last: Status | undefined;
      while (!context.signal.aborted) {
        const changed = nextChange(board, context.signal);
        const status = statusOf(board.isServing(service));
        if (status !== last) yield { status };
        last = status;
        await changed;
      }
    },
    list: () => ({
      statuses: Object.fromEntries(
        board.services().map((name) => [name, { status: statusOf(board.isServing(name)) }]),
      ),
    }),
  });

const statusOf = (isServing: boolean | undefined): Status => {
  if (isServing === undefined) return Status.SERVICE_UNKNOWN;
  return isServing ? Status.SERVING : Status.NOT_SERVING;
};

const nextChange = (board: HealthBoard, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      forget();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const forget = board.onChange(done);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
