import { createAuthority } from '../support/certificates.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import type { Bench, BenchOptions, Measured } from './bench.ts';
import { type Child, startChild } from './child.ts';
import { cliCall } from './cli-call.ts';
import type { LoadResult } from './closed-loop.ts';
import { paired } from './paired.ts';
import { CALLER, SERVER } from './rpc-message.ts';

const CONCURRENCY = 32;
const TURN_MS = 400;

export const rpc: Bench = {
  summary: `calls over mTLS at concurrency ${CONCURRENCY}, and one call of runm`,
  limitMs: 240_000,
  run: async (options) => [await unary(options), await cliCall(options)],
};

/**
 * A call of a service to another one through everything, against a bare grpc-js echo of the same
 * message. Both clients and both servers are processes of their own; those that wait for their turn
 * cost nothing.
 */
const unary = async (options: BenchOptions): Promise<Measured> => {
  const authority = await createAuthority();
  using dir = temporaryDir();
  const pem = (await authority.service(SERVER)).current();
  const callerPem = (await authority.service(CALLER)).current();
  await using subjectServer = startChild('subjects/rpc-server.ts');
  await using subjectClient = startChild('subjects/rpc-client.ts');
  await using limitServer = startChild('limits/grpc-echo-server.ts');
  await using limitClient = startChild('limits/grpc-echo-client.ts');
  const logFile = `${dir.path}/bench.log`;
  await subjectClient.ask('connect', {
    pem: callerPem,
    port: await subjectServer.ask<number>('start', { pem, logFile }),
  });
  await limitClient.ask('connect', {
    pem: callerPem,
    port: await limitServer.ask<number>('start', { pem }),
  });
  const run = async (name: string, { client, server }: Pair, durationMs: number) => {
    const before = await server.ask<number>('cpuUs');
    const load = { concurrency: CONCURRENCY, durationMs };
    const found = await client.ask<LoadResult>('load', load, durationMs + 30_000);
    const serverUs = ((await server.ask<number>('cpuUs')) - before) / found.calls;
    options.note(`${name}: ${describe(found)}, server ${Math.round(serverUs)} µs`);
    return found.callsPerSecond;
  };
  const ours = { client: subjectClient, server: subjectServer };
  const bare = { client: limitClient, server: limitServer };
  // Until V8 has compiled what is hot, both are several times slower.
  await run('warm-up, ours', ours, 3_000);
  await run('warm-up, bare', bare, 3_000);
  const result = await paired(
    {
      // Many short turns: a shared machine is quick and slow by the second, and both must meet the
      // same share of it.
      samples: options.quick ? 10 : 60,
      subject: () => run('ours', ours, TURN_MS),
      limit: () => run('bare', bare, TURN_MS),
    },
    options,
  );
  return {
    figure: 'unary_mtls_all_interceptors',
    value: result.subject,
    limit: result.limit,
    unit: 'calls/s',
    samples: result.samples,
    limitCommand: 'node test/bench/limits/grpc-echo-client.ts',
  };
};

type Pair = { readonly client: Child; readonly server: Child };

const describe = ({ callsPerSecond, p50Ms, p99Ms, cpuUs }: LoadResult): string =>
  `${Math.round(callsPerSecond)} calls/s, p50 ${p50Ms.toFixed(1)} ms, ` +
  `p99 ${p99Ms.toFixed(1)} ms, ` +
  `client ${Math.round(cpuUs)} µs of CPU a call`;
