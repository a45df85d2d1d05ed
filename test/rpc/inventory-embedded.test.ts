/** Inventory within the whole product: what it may ask of its neighbours, and what they answer. */
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { PropertyKind } from '../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { newId } from './inventory-fixture.ts';

const PARENT = 'partitions/hall';
const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
const CPU = 'runm.cpu.shared';

test('definitions count, and the leader decides what takes capacity away', async (t) => {
  await using plane = await startControlPlane();
  const admin = plane.transport(plane.token);
  const partitions = createClient(PartitionService, admin);
  await partitions.createPartition({ partitionId: 'hall', partition: {}, requestId: newId() });
  const providers = createClient(ProviderService, admin);
  const definitions = createClient(DefinitionService, admin);
  const name = 'definitions/runm.provider';
  const properties = [{ key: 'floor', kind: PropertyKind.INTEGER }];
  await definitions.setDefinition({ definition: { name, spec: { properties } } });
  const make = (providerId: string, parentProvider: string, total: bigint) =>
    providers.createProvider({
      parent: PARENT,
      providerId,
      provider: {
        spec: {
          type: ProviderType.DEVICE,
          parentProvider,
          inventories: total === 0n ? [] : [{ resourceType: CPU, total }],
        },
      },
      requestId: newId(),
    });
  const { provider: root } = await make('root', '', 8n);
  const floor = (value: string | bigint) =>
    providers.updateProvider({
      provider: {
        name: root?.name ?? '',
        properties: {
          floor: {
            kind:
              typeof value === 'string'
                ? { case: 'stringValue', value }
                : { case: 'integerValue', value },
          },
        },
      },
      updateMask: { paths: ['properties'] },
    });
  const error = await refused(t, floor('third'), bad);
  t.is(error.metadata.field, 'properties.floor');
  await floor(3n);
  await make('part', root?.name ?? '', 0n);
  // The leader of a new partition takes office within seconds.
  const { providers: reshaped } = await eventually(
    () =>
      providers.reshapeProvider({
        parent: PARENT,
        providers: [
          { provider: 'root', inventories: [{ resourceType: CPU, total: 3n }] },
          { provider: 'part', inventories: [{ resourceType: CPU, total: 5n }] },
        ],
        requestId: newId(),
      }),
    { message: 'a leader that records it' },
  );
  t.deepEqual(
    reshaped.map(({ spec }) => spec?.inventories[0]?.total),
    [3n, 5n],
  );
  await providers.batchDeleteProviders({ parent: PARENT, providers: ['root', 'part'] });
  t.deepEqual((await providers.listProviders({ parent: PARENT })).providers, []);
});
