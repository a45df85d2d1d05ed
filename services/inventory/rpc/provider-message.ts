import { clone, create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { InventorySchema } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import {
  type Provider,
  ProviderSchema,
  type ProviderSpec,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import { type Amounts, withDefaults } from '../domain/amounts.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';

/** What a caller sees; without `seesAll` (permission provider.update) no BMC and no agents are in it. */
export const providerMessage = (
  record: ProviderRecord,
  { incarnation, seesAll }: { incarnation: number; seesAll: boolean },
): Provider => {
  const stored = fromJsonString(ProviderSchema, record.doc);
  const spec = stored.spec ?? create(ProviderSpecSchema);
  return create(ProviderSchema, {
    name: providerName(record),
    uid: record.uid,
    etag: etagOf(record, incarnation),
    generation: BigInt(record.generation),
    createTime: timestampFromMs(record.createMs),
    updateTime: timestampFromMs(record.updateMs),
    properties: stored.properties,
    tags: stored.tags,
    spec: seesAll ? spec : publicSpec(spec),
    status: { capacityGeneration: BigInt(record.generation) },
  });
};

const publicSpec = (spec: ProviderSpec): ProviderSpec => {
  const shown = clone(ProviderSpecSchema, spec);
  delete shown.bmc;
  delete shown.facts;
  shown.agentPools = [];
  shown.nics = [];
  return shown;
};

/** The stored document: what callers declare, nothing that is derived. */
export const providerDoc = (provider: Provider): string =>
  toJsonString(
    ProviderSchema,
    create(ProviderSchema, {
      ...(provider.spec ? { spec: provider.spec } : {}),
      properties: provider.properties,
      tags: provider.tags,
    }),
  );

export const storedSpec = (record: ProviderRecord): ProviderSpec =>
  fromJsonString(ProviderSchema, record.doc).spec ?? create(ProviderSpecSchema);

export const amountsOf = (spec: ProviderSpec): readonly Amounts[] =>
  spec.inventories.map((row) =>
    withDefaults({
      resourceType: row.resourceType,
      total: row.total,
      reserved: row.reserved,
      minUnit: row.minUnit,
      maxUnit: row.maxUnit,
      stepSize: row.stepSize,
      ratioMilli: row.allocationRatioMilli,
    }),
  );

/** The spec with defaults filled in, so that everybody reads the same numbers. */
export const normalised = (spec: ProviderSpec): ProviderSpec => {
  const result = clone(ProviderSpecSchema, spec);
  result.inventories = amountsOf(spec).map(({ ratioMilli, ...amounts }) =>
    create(InventorySchema, { ...amounts, allocationRatioMilli: ratioMilli }),
  );
  result.capabilities = [...new Set(spec.capabilities)].toSorted();
  return result;
};
