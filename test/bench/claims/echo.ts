import { createAuthority } from '../../support/certificates.ts';
import { startChild } from '../child.ts';
import type { LoadResult } from '../closed-loop.ts';
import { CALLER, SERVER } from '../rpc-message.ts';

/** grpc-js's own echo over mTLS, beside which claims are measured. */
export type Echo = AsyncDisposable & {
  /** Calls a second. */
  readonly run: (concurrency: number, durationMs: number) => Promise<number>;
};

export const ECHO_COMMAND = 'node test/bench/limits/grpc-echo-client.ts';

export const startEcho = async (): Promise<Echo> => {
  await using cleanup = new AsyncDisposableStack();
  const authority = await createAuthority();
  const pem = (await authority.service(SERVER)).current();
  const server = cleanup.use(startChild('limits/grpc-echo-server.ts'));
  const client = cleanup.use(startChild('limits/grpc-echo-client.ts'));
  const port = await server.ask<number>('start', { pem });
  await client.ask('connect', { pem: (await authority.service(CALLER)).current(), port });
  const owned = cleanup.move();
  return {
    run: async (concurrency, durationMs) => {
      const load = { concurrency, durationMs };
      const { callsPerSecond } = await client.ask<LoadResult>('load', load, durationMs + 30_000);
      return callsPerSecond;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
