import type { DescService, Message } from '@bufbuild/protobuf';
import {
  createServiceImplSpec,
  type ServiceImpl,
  type ServiceImplSpec,
  type Transport,
} from '@connectrpc/connect';
import type { Coordination } from '../store/coordination/port.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { Random } from './random.ts';

/** The areas that services call at each other. */
export type Area = 'identity' | 'inventory' | 'scheduler' | 'machine';

/**
 * Contract and code of one RPC service, before the guard. services/main.ts guards and mounts it.
 */
export type Implementation = {
  readonly service: DescService;
  readonly spec: ServiceImplSpec;
  readonly readers?: RequestReaders;
};

/**
 * How requests are read of methods for which there is a better way than to decode each part anew;
 * by their local names. Throws for bytes that are no such message.
 */
export type RequestReaders = Readonly<Record<string, (bytes: Uint8Array) => Message>>;

/** What every service's factory answers. */
export type RunningService = {
  readonly implementations: readonly Implementation[];
  /** Begins background work (leaders, sweepers, watchers); the signal ends it. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /** Waits for the background work to end and closes what the service opened. */
  readonly stop: () => Promise<void>;
  /** Rejects with the reason while the service cannot serve. */
  readonly ready: () => Promise<void>;
};

/** How a service reaches the others. */
export type Connect = {
  /** Any replica of that area; in the embedded mode the same process. */
  readonly transportTo: (area: Area) => Transport;
  /** One replica by the address that it registered under `members/<service>/<id>`. */
  readonly transportToAddress: (address: string) => Transport;
};

/** Of StoreLimits (store/sql/limits.ts), where a test must not be hurried. */
export type SqlLimits = Readonly<
  Partial<
    Record<'transactionMs' | 'statementMs' | 'lockMs' | 'connectionWaitMs' | 'openMs', number>
  >
>;

/** What every service's factory needs. `Config` is the service's own small typed object. */
export type ServiceDeps<Config = unknown> = {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** 'sqlite:<file>' or 'postgresql://…', and bounds; see store/sql/open.ts. */
  readonly sql: { readonly url: string; readonly limits?: SqlLimits };
  readonly coordination: Coordination;
  readonly connect: Connect;
  /** Name of the installation, the trust domain of its certificates. */
  readonly cluster: string;
  readonly replica: { readonly id: string; readonly address: string };
};

/**
 * Pairs a contract with its code, so that the types of the methods are checked where it is written.
 */
export const implement = <T extends DescService>(
  service: T,
  implementation: ServiceImpl<T>,
  readers: RequestReaders = {},
): Implementation => ({ service, spec: createServiceImplSpec(service, implementation), readers });
