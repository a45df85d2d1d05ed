/**
 * Reads of an encoded provider what placement needs. The rest of it, such as what its hardware is
 * made of, is passed over; what many providers have alike is decoded once, and found again by its
 * bytes.
 */
import { fromBinary } from '@bufbuild/protobuf';
import type { Inventory } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import {
  ProviderSchema,
  ProviderSpecSchema,
  ProviderStatusSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import type { WireFields } from '../../runtime/wire-fields.ts';
import type { Offer, ProviderFacts } from '../domain/capacity.ts';
import { keyOf, type Property } from '../domain/claim.ts';
import { propertyOf } from '../property-message.ts';
import type { FactsParts, What, Where } from './provider-facts.ts';
import { providerTypeOf } from './provider-type.ts';
import { createPool, createSharedValues, type SharedValues } from './shared-values.ts';
import { distanceOf } from './topology-message.ts';

export type ReadProvider = FactsParts & {
  /** As a key. */
  readonly partition: string;
};

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');
const SLASH = 0x2f;

const { name, uid, generation, properties, tags, spec, status } = ProviderSchema.field;
const FIELD = {
  name: name.number,
  uid: uid.number,
  generation: generation.number,
  properties: properties.number,
  tags: tags.number,
  spec: spec.number,
  status: status.number,
} as const;
const PARENT_UID = ProviderStatusSchema.field.parentUid.number;
/** Of an entry of a map. */
const ENTRY_KEY = 1;

/** undefined = it has no uid, or a name that is none of a provider. */
export type ProviderReading = (provider: WireFields) => ReadProvider | undefined;

export const createProviderReading = (schedulable: () => ReadonlySet<string>): ProviderReading => {
  const shared = createSharedValues();
  const places = createPool<Located | undefined>();
  const whats = createPool<What>();
  const propertyMaps = createPool<ProviderFacts['properties']>();
  return (provider) => {
    const keys = schedulable();
    const found = { uid: '', id: '', generation: 0, parent: '' };
    let [tagged, parts, placed, described] = ['', { what: '', where: '' }, '', ''];
    while (provider.next()) {
      switch (provider.field) {
        case FIELD.name:
          found.id = provider.textBehindLast(SLASH);
          found.parent = provider.keyUpToLast(SLASH);
          break;
        case FIELD.uid:
          found.uid = keyOf(provider.text());
          break;
        case FIELD.generation:
          found.generation = provider.value;
          break;
        case FIELD.properties:
          if (keys.has(entryKey(provider))) described += provider.key(provider.begin, provider.to);
          break;
        case FIELD.tags:
          tagged += provider.key(provider.begin, provider.to);
          break;
        case FIELD.spec:
          parts = partsOfSpec(provider.inner());
          break;
        case FIELD.status:
          placed = parentOf(provider.inner());
      }
    }
    // The fields of the three have different numbers, so that no two places have one key.
    const at = places(`${found.parent}\n${tagged}${parts.where}${placed}`, () =>
      locate(shared, { parent: found.parent, tagged, inSpec: parts.where, inStatus: placed }),
    );
    if (at === undefined || found.uid === '') return undefined;
    return {
      partition: at.partition,
      uid: found.uid,
      id: found.id,
      generation: found.generation,
      where: at.where,
      what: whats(parts.what, () => whatOf(shared, parts.what)),
      properties:
        described === ''
          ? undefined
          : propertyMaps(described, () => propertiesOf(shared, described)),
    };
  };
};

const entryKey = (property: WireFields): string => {
  const entry = property.inner();
  while (entry.next()) if (entry.field === ENTRY_KEY) return entry.text();
  return '';
};

const parentOf = (status: WireFields): string => {
  let parent = '';
  while (status.next()) {
    if (status.field === PARENT_UID) parent = status.key(status.begin, status.to);
  }
  return parent;
};

type SpecParts = { readonly what: string; readonly where: string };

const { type, capabilities, inventories, groups, distances } = ProviderSpecSchema.field;
const SPEC_PARTS: ReadonlyMap<number, keyof SpecParts> = new Map([
  ...[type, capabilities, inventories].map(({ number }) => [number, 'what'] as const),
  ...[groups, distances].map(({ number }) => [number, 'where'] as const),
]);

/** Its fields in two halves, each as they follow each other. */
const partsOfSpec = (spec: WireFields): SpecParts => {
  const parts = { what: '', where: '', rest: '' };
  let part: keyof typeof parts = 'rest';
  let [begin, end] = [0, 0];
  while (spec.next()) {
    const next = SPEC_PARTS.get(spec.field) ?? 'rest';
    if (next !== part) {
      if (part !== 'rest') parts[part] += spec.key(begin, end);
      part = next;
      begin = spec.begin;
    }
    end = spec.to;
  }
  if (part !== 'rest') parts[part] += spec.key(begin, end);
  return parts;
};

const bytesOf = (key: string): Buffer => Buffer.from(key, 'latin1');

type Located = { readonly partition: string; readonly where: Where };
type Placed = {
  readonly parent: string;
  readonly tagged: string;
  readonly inSpec: string;
  readonly inStatus: string;
};

const locate = (shared: SharedValues, { parent, ...placed }: Placed): Located | undefined => {
  const partition = PROVIDER.parse(`${parent}any`)?.partition;
  if (partition === undefined) return undefined;
  const { tags } = fromBinary(ProviderSchema, bytesOf(placed.tagged));
  const { groups, distances } = fromBinary(ProviderSpecSchema, bytesOf(placed.inSpec));
  const { parentUid } = fromBinary(ProviderStatusSchema, bytesOf(placed.inStatus));
  return {
    partition: shared.text(keyOf(partition)),
    where: shared.where({
      parent: shared.text(parent),
      groups: shared.set(groups.map(keyOf)),
      tags: shared.set(tags),
      parentUid: parentUid === '' ? undefined : shared.text(keyOf(parentUid)),
      distances: shared.distances(distances.map(distanceOf)),
    }),
  };
};

const whatOf = (shared: SharedValues, encoded: string): What => {
  const { type, capabilities, inventories } = fromBinary(ProviderSpecSchema, bytesOf(encoded));
  return shared.what({
    type: providerTypeOf(type),
    capabilities: shared.set(capabilities),
    offers: shared.offers(new Map(inventories.map((one) => [one.resourceType, offerOf(one)]))),
  });
};

const propertiesOf = (shared: SharedValues, encoded: string): ProviderFacts['properties'] => {
  const { properties } = fromBinary(ProviderSchema, bytesOf(encoded));
  const found: (readonly [string, Property])[] = [];
  for (const [key, value] of Object.entries(properties)) {
    const property = propertyOf(value);
    if (property !== undefined) found.push([key, property]);
  }
  return shared.properties(found.sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** Usable is floor((total - reserved) x ratio); the zeros of the contract are filled in. */
const offerOf = (inventory: Inventory): Offer => {
  const { total, reserved, allocationRatioMilli, minUnit, maxUnit, stepSize } = inventory;
  const left = total > reserved ? total - reserved : 0n;
  const usable = (left * BigInt(allocationRatioMilli === 0 ? 1000 : allocationRatioMilli)) / 1000n;
  return {
    usable: numberOf(usable),
    minUnit: minUnit === 0n ? 1 : numberOf(minUnit),
    maxUnit: numberOf(maxUnit === 0n ? total : maxUnit),
    stepSize: stepSize === 0n ? 1 : numberOf(stepSize),
  };
};

/** Amounts beyond 2^53 are as good as 2^53: no request is larger. */
const numberOf = (amount: bigint): number => Number(amount > MOST ? MOST : amount);

const MOST = BigInt(Number.MAX_SAFE_INTEGER);
