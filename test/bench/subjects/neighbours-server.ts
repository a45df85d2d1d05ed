/**
 * Inventory and metadata as the scheduler sees them. The fleet is made and encoded before anybody
 * asks: inventory has its rows at hand, and what it takes to invent them is not the scheduler's. A
 * million providers are some 400 MB here.
 */
import { create, type DescService, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { createServiceImplSpec, type ServiceImpl } from '@connectrpc/connect';
import { DefinitionService } from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { CapabilityService } from '../../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { DistanceTypeService } from '../../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import {
  ProviderService,
  WatchProvidersResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { RESOURCE_TYPES } from '../../../services/inventory/domain/resource-types.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { notFound } from '../../../services/runtime/errors.ts';
import { createLog } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { createMetrics } from '../../../services/runtime/metrics.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { createAuthenticator } from '../../../services/runtime/rpc/authenticator.ts';
import { encodedAnswer } from '../../../services/runtime/rpc/encoded-answer.ts';
import { toConnectError } from '../../../services/runtime/rpc/error-mapping.ts';
import { guardAll } from '../../../services/runtime/rpc/guard.ts';
import { mountGrpcJs } from '../../../services/runtime/rpc/mount-grpc-js.ts';
import { createPipeline } from '../../../services/runtime/rpc/pipeline.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { createFleet, type Fleet, type FleetOptions, PARTITION } from '../fleet/fleet.ts';
import { CAPABILITIES } from '../fleet/profile.ts';
import { providerMessage } from '../fleet/provider-message.ts';
import { DISTANCE_TYPE, definitionMessage, groupMessage } from '../fleet/topology-message.ts';
import { serveParent } from '../serve-parent.ts';

type Start = { readonly pem: Pem; readonly logFile: string; readonly fleet: FleetOptions };

const EVENTS_PER_MESSAGE = 500;
const BOOKMARK_MS = 20_000;
const TOKEN = 'present';

const start = async ({ pem, logFile, fleet: options }: Start): Promise<number> => {
  const log = createLog({
    name: 'bench',
    level: 'info',
    destination: openLogFile({ file: logFile }),
  });
  const pipeline = createPipeline({
    clock: systemClock,
    random: systemRandom,
    log,
    metrics: createMetrics({ withProcess: true }).rpc,
    authenticate: createAuthenticator({
      clock: systemClock,
      cluster: CLUSTER,
      grantsOf: () => [{ role: 'service', permissions: new Set(['*']) }],
      introspect: () => Promise.resolve(undefined),
      isRevoked: () => false,
    }),
  });
  const fleet = createFleet(options);
  const mount = await mountGrpcJs({
    services: guardAll(implementations(fleet, [...pagesOf(fleet)]), pipeline),
    tls: tlsMaterial(pem),
    listen: { host: '127.0.0.1', port: 0 },
    log,
  });
  return mount.port;
};

const implementations = (fleet: Fleet, pages: readonly ProviderPage[]) => [
  served(PartitionService, {
    listPartitions: () => ({ partitions: [{ name: `partitions/${PARTITION}` }] }),
  }),
  served(ProviderService, {
    watchProviders: ({ resumeToken }, { signal }) => watch(resumeToken, signal, pages),
  }),
  served(ProviderGroupService, {
    watchProviderGroups: ({ resumeToken }, { signal }) =>
      watch(resumeToken, signal, batchesOf(groupsOf(fleet))),
  }),
  served(DistanceTypeService, {
    listDistanceTypes: () => ({ distanceTypes: [DISTANCE_TYPE] }),
  }),
  served(ResourceTypeService, {
    listResourceTypes: () => ({
      resourceTypes: RESOURCE_TYPES.map(({ code }) => ({ name: `resourceTypes/${code}` })),
    }),
  }),
  served(CapabilityService, {
    listCapabilities: () => ({
      capabilities: CAPABILITIES.map((code) => ({ name: `capabilities/${code}` })),
    }),
  }),
  served(DefinitionService, {
    getDefinition: ({ name }) => ({ definition: definitionMessage(name) }),
  }),
  served(ProjectService, {
    getProject: ({ name }) => {
      if (/^projects\/team-\d\d$/.test(name)) return { project: { name } };
      throw toConnectError(notFound('NOT_FOUND', `${name} does not exist`));
    },
  }),
];

const served = <T extends DescService>(service: T, implementation: Partial<ServiceImpl<T>>) => ({
  service,
  spec: createServiceImplSpec<T>(service, implementation),
});

type ProviderPage = MessageShape<typeof WatchProvidersResponseSchema>;

function* pagesOf(fleet: Fleet): Generator<ProviderPage> {
  for (const page of batchesOf(providersOf(fleet))) {
    const bytes = toBinary(
      WatchProvidersResponseSchema,
      create(WatchProvidersResponseSchema, page),
    );
    yield encodedAnswer(WatchProvidersResponseSchema, bytes);
  }
}

function* providersOf(fleet: Fleet) {
  for (let at = 0; at < fleet.size; at += 1) yield providerMessage(fleet.provider(at));
}

function* groupsOf(fleet: Fleet) {
  let number = 0;
  for (const group of fleet.groups()) {
    number += 1;
    yield groupMessage(group, number);
  }
}

/** Nothing changes after the present set; who resumes is up to date. */
async function* watch<T>(resumeToken: string, signal: AbortSignal, present: Iterable<T>) {
  if (resumeToken === '') {
    yield* present;
    yield { events: [{ event: { case: 'synced' as const, value: {} } }], resumeToken: TOKEN };
  }
  while (!signal.aborted) {
    await systemClock.sleep(BOOKMARK_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    yield { events: [{ event: { case: 'bookmark' as const, value: {} } }], resumeToken: TOKEN };
  }
}

/** The present set in messages of many. */
function* batchesOf<T>(values: Iterable<T>) {
  let events: { readonly event: { readonly case: 'created'; readonly value: T } }[] = [];
  for (const value of values) {
    events.push({ event: { case: 'created', value } });
    if (events.length < EVENTS_PER_MESSAGE) continue;
    yield { events, resumeToken: '' };
    events = [];
  }
  if (events.length > 0) yield { events, resumeToken: '' };
}

serveParent({ start, rssBytes: () => process.memoryUsage.rss() });
