/** Inventory over mTLS on a database, with what stands in for scheduler and metadata. */
import { createRouterTransport } from '@connectrpc/connect';
import { PropertyKind } from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { createInventoryService } from '../../../services/inventory/main.ts';
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
import { beginProfile, endProfile } from './cpu-profile.ts';

export type InventoryStart = {
  readonly pem: Pem;
  readonly url: string;
  readonly logFile: string;
};

const start = async ({ pem, url, logFile }: InventoryStart): Promise<number> => {
  const destination = openLogFile({ file: logFile });
  const log = createLog({ name: 'inventory', level: 'info', destination });
  const service = await createInventoryService({
    config: {},
    clock,
    random,
    log,
    sql: { url },
    coordination: openEmbeddedCoordination({ file: ':memory:', clock, random, log }),
    connect: { transportTo: () => neighbours, transportToAddress: () => neighbours },
    cluster: CLUSTER,
    replica: { id: 'one', address: '127.0.0.1:1' },
  });
  await service.start(new AbortController().signal);
  const pipeline = createPipeline({
    clock,
    random,
    log,
    metrics: createMetrics({ withProcess: true }).rpc,
    authenticate: createAuthenticator({
      clock,
      cluster: CLUSTER,
      grantsOf: () => [{ role: 'service', permissions: new Set(['*']) }],
      introspect: () => Promise.resolve(undefined),
      isRevoked: () => false,
    }),
  });
  const services = guardAll(service.implementations, pipeline);
  const listen = { host: '127.0.0.1', port: 0 };
  return (await mountGrpcJs({ services, tls: tlsMaterial(pem), listen, log })).port;
};

const DEFINED = [
  { key: 'asset-tag', kind: PropertyKind.STRING },
  { key: 'cost-centre', kind: PropertyKind.STRING },
  { key: 'purchase-year', kind: PropertyKind.INTEGER },
  { key: 'warranty-days', kind: PropertyKind.INTEGER },
  { key: 'watercooled', kind: PropertyKind.BOOL },
];

const neighbours = createRouterTransport((router) => {
  router.rpc(DefinitionService.method.getDefinition, ({ name }) => ({
    definition: { name, spec: { properties: DEFINED } },
  }));
});

serveParent({ start, beginProfile, endProfile });
