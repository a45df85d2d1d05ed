/** An operator's tool that imports a fleet: several batches under way, as `runm` has them. */
import { randomUUID } from 'node:crypto';
import { type Client, createClient } from '@connectrpc/connect';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import {
  ProviderService,
  UpsertOutcome,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { patient } from '../../../services/cli/patient-transport.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { createGrpcJsTransport } from '../../../services/runtime/rpc/grpc-js-transport.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { groupsOf, serverOf } from '../enrol/server.ts';
import { serveParent } from '../serve-parent.ts';

const PARENT = 'partitions/lab';
const BATCH = 500;
const UNDER_WAY = 4;
const CALL_MS = 30_000;

let connected: Client<typeof ProviderService> | undefined;

type Connect = { readonly pem: Pem; readonly port: number; readonly count: number };

/** Makes the partition and the groups of so many servers. */
const connect = async ({ pem, port, count }: Connect): Promise<void> => {
  const transport = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${port}`],
    tls: tlsMaterial(pem),
    serverId: `spiffe://${CLUSTER}/service/inventory`,
  });
  const asRunmDoes = patient(transport, systemClock);
  connected = createClient(ProviderService, asRunmDoes);
  const partitions = createClient(PartitionService, transport);
  await partitions.createPartition({
    partitionId: 'lab',
    partition: {},
    requestId: randomUUID(),
  });
  const groups = createClient(ProviderGroupService, transport);
  for (const groupId of groupsOf(count)) {
    const kind = groupId.startsWith('rack') ? GroupKind.RACK : GroupKind.ROW;
    await groups.createProviderGroup({
      parent: PARENT,
      groupId,
      group: { spec: { kind } },
      requestId: randomUUID(),
    });
  }
};

type Load = { readonly from: number; readonly to: number };

/** Seconds from the first call to the last answer. */
const load = async ({ from, to }: Load): Promise<number> => {
  const client = connected;
  if (client === undefined) throw new Error('not connected yet');
  const startMs = performance.now();
  let next = from;
  const worker = async () => {
    while (next < to) {
      const first = next;
      next = Math.min(to, first + BATCH);
      const items = Array.from({ length: next - first }, (_, n) => serverOf(first + n));
      const request = { parent: PARENT, items, requestId: randomUUID() };
      const { results } = await client.batchUpsertProviders(request, { timeoutMs: CALL_MS });
      const wrong = results.find(({ outcome }) => outcome !== UpsertOutcome.CREATED);
      if (wrong !== undefined) throw new Error(`${wrong.name}: ${wrong.error?.message}`);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
  return (performance.now() - startMs) / 1000;
};

serveParent({ connect, load });
