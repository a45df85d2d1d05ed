import { readFile } from 'node:fs/promises';
import { create } from '@bufbuild/protobuf';
import { FieldMaskSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import type { Provider } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  UpsertOutcome,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { LabStatus } from '../lab/control-protocol.ts';
import { fleetFile } from '../lab/fleet-file.ts';
import { rackRecords } from '../lab/rack-records.ts';
import { PARTITION } from './host-provider.ts';
import { writeWhole } from './state-dir.ts';

/** Holds what only operators may use; tenants work in another project. */
const OPERATIONS = 'operations';
const CALL = { timeoutMs: 30_000 };

/**
 * Records the servers of the lab as providers, with their groups and the secrets of their
 * controllers, as `runm provider import` would. What is there already stays as people made it, but
 * for how controllers are reached, which a start may have moved. Answers what could not be
 * recorded.
 */
export const enrolRack = async (
  transport: Transport,
  rack: {
    readonly status: LabStatus;
    readonly agents: readonly string[];
    /** Receives the same as a file for `runm provider import`. */
    readonly file: string;
  },
): Promise<readonly string[]> => {
  const { status, agents } = rack;
  await unlessThere(
    createClient(ProjectService, transport).createProject(
      { projectId: OPERATIONS, project: { spec: {} }, requestId: systemRandom.requestId() },
      CALL,
    ),
  );
  for (const { name, credentialsFile } of status.servers) {
    await ensureSecret(transport, name, credentialsFile);
  }
  const secretOf = (server: string) => `projects/${OPERATIONS}/secrets/${secretId(server)}`;
  const records = rackRecords(status, { partition: PARTITION, agents, secretOf });
  const { groups, providers } = records;
  writeWhole(rack.file, fleetFile(records));
  const groupService = createClient(ProviderGroupService, transport);
  for (const group of groups) {
    const groupId = lastOf(group.name);
    const requestId = systemRandom.requestId();
    await unlessThere(
      groupService.createProviderGroup({ parent: PARTITION, groupId, group, requestId }, CALL),
    );
  }
  return upsert(transport, providers);
};

const upsert = async (
  transport: Transport,
  providers: readonly Provider[],
): Promise<readonly string[]> => {
  const { results } = await createClient(ProviderService, transport).batchUpsertProviders(
    {
      parent: PARTITION,
      items: providers.map((provider) => ({ providerId: lastOf(provider.name), provider })),
      updateMask: create(FieldMaskSchema, { paths: ['spec.bmc', 'spec.agent_pools'] }),
      requestId: systemRandom.requestId(),
    },
    CALL,
  );
  return results.flatMap(({ name, outcome, error }) =>
    outcome === UpsertOutcome.FAILED ? [`${lastOf(name)}: ${error?.message ?? 'refused'}`] : [],
  );
};

/** A secret that is there may have been rotated since: it is the newer one. */
const ensureSecret = async (transport: Transport, server: string, file: string): Promise<void> => {
  const data: Record<string, string> = JSON.parse(await readFile(file, 'utf8'));
  await unlessThere(
    createClient(SecretService, transport).createSecret(
      {
        parent: `projects/${OPERATIONS}`,
        secretId: secretId(server),
        description: `controller of ${server} in the lab on this machine`,
        data,
        requestId: systemRandom.requestId(),
      },
      CALL,
    ),
  );
};

const secretId = (server: string): string => `bmc-${server}`;
const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

const unlessThere = async (created: Promise<unknown>): Promise<void> => {
  try {
    await created;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.AlreadyExists) throw error;
  }
};
