import { create, fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Discovery,
  type DiscoveryConflict,
  DiscoveryConflictSchema,
  DiscoverySchema,
  type FoundServer,
  DiscoveryState as StateMessage,
} from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { controllerAddress } from '../domain/controller-address.ts';
import { type Identifier, identifiersOf } from '../domain/identifiers.ts';
import {
  type DiscoveryRecord,
  type DiscoveryState,
  discoveryName,
  providerName,
} from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';

const STATES: Readonly<Record<DiscoveryState, StateMessage>> = {
  proposed: StateMessage.PROPOSED,
  accepted: StateMessage.ACCEPTED,
  rejected: StateMessage.REJECTED,
};

/** Undefined: no matter which. */
export const stateAsked = (state: StateMessage): DiscoveryState | undefined =>
  (['proposed', 'accepted', 'rejected'] as const).find((one) => STATES[one] === state);

/** What of a discovery lies in its document. */
export type Kept = Pick<Discovery, 'reason' | 'provider'> & { readonly found: FoundServer };

export const discoveryDoc = ({ found, reason, provider }: Kept): string =>
  toJsonString(DiscoverySchema, create(DiscoverySchema, { found, reason, provider }));

export const keptOf = ({ doc }: Pick<DiscoveryRecord, 'doc'>): Kept => {
  const { found, reason, provider } = fromJsonString(DiscoverySchema, doc, {
    ignoreUnknownFields: true,
  });
  if (found === undefined) throw new Error('A discovery is stored without what was found');
  return { found, reason, provider };
};

export const shownBy = ({ facts }: FoundServer): readonly Identifier[] =>
  facts === undefined ? [] : identifiersOf({ nics: facts.nics, facts });

/** Messages of these, with what providers have already of it: two statements for all. */
export const discoveryMessages = async (
  { store, records }: RpcDeps,
  reader: Reader,
  rows: readonly DiscoveryRecord[],
): Promise<ReadonlyMap<DiscoveryRecord, Discovery>> => {
  const kept = new Map(rows.map((row) => [row, keptOf(row)]));
  const byPartition = Map.groupBy(rows, ({ partition }) => partition);
  const messages = new Map<DiscoveryRecord, Discovery>();
  for (const [partition, those] of byPartition) {
    const keys = those.flatMap((row) => shownBy(foundIn(kept, row)).map(({ key }) => key));
    const controllers = those.map((row) => controllerIn(foundIn(kept, row)));
    const holders = await records.providers.holdersOf(reader, partition, keys);
    const owners = await records.providers.atControllers(reader, partition, controllers);
    for (const row of those) {
      const found = foundIn(kept, row);
      const shown = shownBy(found).map(({ key, value }) => ({
        key,
        value,
        holder: holders.get(key),
      }));
      const holder = owners.get(controllerIn(found));
      const at = { key: 'address ', value: found.address, holder };
      const conflicts = [at, ...shown].flatMap(({ holder, ...what }) =>
        holder === undefined ? [] : [conflictOf(what, providerName(holder))],
      );
      messages.set(row, messageOf(row, { incarnation: store.incarnation(), conflicts }));
    }
  }
  return messages;
};

const foundIn = (kept: ReadonlyMap<DiscoveryRecord, Kept>, row: DiscoveryRecord): FoundServer =>
  (kept.get(row) ?? keptOf(row)).found;

const controllerIn = ({ address }: FoundServer): string => controllerAddress(address).controller;

const FIELDS: Readonly<Record<string, string>> = {
  address: 'address',
  mac: 'mac',
  serial: 'serial_number',
  uuid: 'smbios_uuid',
};

const conflictOf = (
  { key, value }: Pick<Identifier, 'key' | 'value'>,
  holder: string,
): DiscoveryConflict =>
  create(DiscoveryConflictSchema, {
    field: FIELDS[key.slice(0, key.indexOf(' '))] ?? '',
    value,
    holder,
  });

type Shown = { readonly incarnation: number; readonly conflicts: readonly DiscoveryConflict[] };

const messageOf = (record: DiscoveryRecord, { incarnation, conflicts }: Shown): Discovery => {
  const { found, reason, provider } = keptOf(record);
  return create(DiscoverySchema, {
    name: discoveryName(record),
    uid: record.uid,
    etag: etagOf(record, incarnation),
    createTime: timestampFromMs(record.createMs),
    updateTime: timestampFromMs(record.updateMs),
    found,
    state: STATES[record.state],
    reason,
    provider,
    // What it was made is no conflict.
    conflicts: conflicts.filter(({ holder }) => holder !== provider),
  });
};
