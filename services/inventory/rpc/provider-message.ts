import assert from 'node:assert/strict';
import { clone, create, fromJsonString, type JsonObject, toJson } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Inventory } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import {
  type Provider,
  ProviderSchema,
  type ProviderSpec,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import { type Amounts, withDefaults } from '../domain/amounts.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import { seenOf } from './observation.ts';

/**
 * What a caller sees; without `seesAll` (permission provider.update) no BMC, NICs, facts, agents
 * and problems are in it.
 */
export const providerMessage = (
  record: ProviderRecord,
  { incarnation, seesAll }: { incarnation: number; seesAll: boolean },
): Provider => {
  const stored = storedProvider(record);
  const spec = specOf(stored);
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
    status: {
      capacityGeneration: BigInt(record.generation),
      parentUid: record.parentUid,
      rootUid: record.rootUid,
      ...(seesAll && seenOf(record)),
    },
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

/**
 * The stored document: what callers declare, nothing that is derived. Properties are in the order
 * of their keys, so that the same provider is the same text.
 */
export const providerDoc = (provider: Provider): string => JSON.stringify(providerJson(provider));

export const providerJson = ({ spec, properties, tags }: Provider): JsonObject => {
  const json = toJson(
    ProviderSchema,
    create(ProviderSchema, { ...(spec ? { spec } : {}), properties: inOrder(properties), tags }),
  );
  assert(typeof json === 'object' && json !== null && !Array.isArray(json));
  return json;
};

const inOrder = (properties: Provider['properties']): Provider['properties'] =>
  Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A newer replica may have written fields that this one does not know. */
export const storedProvider = (record: ProviderRecord): Provider =>
  fromJsonString(ProviderSchema, record.doc, { ignoreUnknownFields: true });

export const specOf = ({ spec }: Provider): ProviderSpec => spec ?? create(ProviderSpecSchema);

export const amountsOf = (spec: ProviderSpec): readonly Amounts[] => amountsIn(spec.inventories);

export const amountsIn = (rows: readonly Inventory[]): readonly Amounts[] =>
  rows.map((row) =>
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
