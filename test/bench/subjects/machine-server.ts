/**
 * The process `machine` as it runs, on SQLite files, between neighbours that know the agents and
 * nothing else. Every statement that writes is counted: node:sqlite is below both the service's
 * records and the embedded coordination.
 */

import { StatementSync } from 'node:sqlite';
import { createRouterTransport } from '@connectrpc/connect';
import { TrustService } from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { createMachineService } from '../../../services/machine/main.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { createLog } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { createMetrics } from '../../../services/runtime/metrics.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { createAuthenticator } from '../../../services/runtime/rpc/authenticator.ts';
import { guardAll } from '../../../services/runtime/rpc/guard.ts';
import { mountGrpcJs } from '../../../services/runtime/rpc/mount-grpc-js.ts';
import { createPipeline } from '../../../services/runtime/rpc/pipeline.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { serveParent } from '../serve-parent.ts';

type Start = { readonly pem: Pem; readonly dir: string; readonly uids: readonly string[] };

let writes = 0;

const countWrites = (): void => {
  const isWrite = (statement: StatementSync): boolean =>
    /^\s*(?:insert|update|delete|replace)/i.test(statement.sourceSQL);
  for (const verb of ['run', 'get', 'all', 'iterate'] as const) {
    const original = StatementSync.prototype[verb];
    const counting = function (this: StatementSync, ...args: never[]) {
      if (isWrite(this)) writes += 1;
      return Reflect.apply(original, this, args);
    };
    Reflect.set(StatementSync.prototype, verb, counting);
  }
};

const start = async ({ pem, dir, uids }: Start): Promise<number> => {
  countWrites();
  const log = createLog({
    name: 'bench',
    level: 'info',
    destination: openLogFile({ file: `${dir}/bench.log` }),
  });
  const names = new Map(uids.map((uid, at) => [uid, `partitions/lab/agents/a${at}`]));
  const neighbours = createRouterTransport(({ service }) => {
    service(TrustService, {
      introspect: ({ credential }) => {
        const name = credential.case === 'principal' ? credential.value : '';
        const uid = name.split('/').at(-1) ?? '';
        const agent = names.get(uid) ?? '';
        return { principal: `agents/${uid}`, uid, agent, agentRoles: ['vm'] };
      },
    });
    service(ProviderService, {
      watchProviders: async function* (_, { signal }) {
        yield { events: [{ event: { case: 'synced', value: {} } }], resumeToken: 't' };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
  });
  const coordination = openEmbeddedCoordination({
    file: `${dir}/coordination.sqlite`,
    clock,
    random,
    log,
  });
  const machine = await createMachineService({
    config: {},
    clock,
    random,
    log,
    sql: { url: `sqlite:${dir}/machine.sqlite` },
    coordination,
    connect: { transportTo: () => neighbours, transportToAddress: () => neighbours },
    cluster: CLUSTER,
    replica: { id: 'bench', address: '127.0.0.1:1' },
  });
  await machine.start(new AbortController().signal);
  const grantsOf = (kind: 'service' | 'agent') => [
    { role: kind, permissions: new Set([kind === 'agent' ? 'agent.session' : '*']) },
  ];
  const pipeline = createPipeline({
    clock,
    random,
    log,
    metrics: createMetrics({ withProcess: true }).rpc,
    authenticate: createAuthenticator({
      clock,
      cluster: CLUSTER,
      grantsOf,
      introspect: async () => undefined,
      isRevoked: () => false,
    }),
  });
  const services = guardAll(machine.implementations, pipeline);
  const listen = { host: '127.0.0.1', port: 0 };
  return (await mountGrpcJs({ services, tls: tlsMaterial(pem), listen, log })).port;
};

serveParent({ start, rssBytes: () => process.memoryUsage.rss(), writes: () => writes });
