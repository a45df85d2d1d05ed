/**
 * What a reshape is about to write, kept in the reservations of its providers from before the
 * leader is asked until it is written. Once the leader has recorded the reshape it must be written,
 * whatever becomes of the process that asked; asking the leader for the same again tells whether it
 * has.
 */
import type { Offer } from './amounts.ts';
import type { ProviderRecord } from './records.ts';
import { unreserved } from './reservation.ts';

export type AllocationMove = {
  readonly fromUid: string;
  readonly toUid: string;
  readonly resourceType: string;
  /** Empty: of all claims. */
  readonly claimUid: string;
};

export type ReshapePart = {
  readonly uid: string;
  readonly generation: number;
  /** In the JSON form of the contract. */
  readonly inventories: readonly unknown[];
  readonly offers: readonly Offer[];
};

export type ReshapeIntent = {
  readonly holder: string;
  readonly partition: string;
  readonly parts: readonly ReshapePart[];
  readonly moves: readonly AllocationMove[];
};

const BIG = ['usable', 'minUnit', 'maxUnit', 'stepSize'];

export const encodeIntent = (intent: ReshapeIntent): string =>
  JSON.stringify(intent, (_, value) => (typeof value === 'bigint' ? String(value) : value));

/** For what encodeIntent wrote. */
export const decodeIntent = (text: string): ReshapeIntent =>
  JSON.parse(text, (key, value) =>
    BIG.includes(key) && typeof value === 'string' ? BigInt(value) : value,
  );

/** The record as it is once its part is written. */
export const reshaped = (
  record: ProviderRecord,
  part: ReshapePart,
  { holder, nowMs }: { readonly holder: string; readonly nowMs: number },
): ProviderRecord => ({
  ...record,
  version: record.version + 1,
  generation: part.generation,
  reserved: { ...unreserved(record, part.generation), finished: holder },
  updateMs: nowMs,
  doc: withInventories(record.doc, part.inventories),
});

type Doc = { readonly spec?: { readonly inventories?: readonly { resourceType: string }[] } };

const withInventories = (doc: string, inventories: readonly unknown[]): string => {
  const stored: Doc = JSON.parse(doc);
  return JSON.stringify({ ...stored, spec: { ...stored.spec, inventories } });
};

/** Resource types of what the stored document offers. */
export const offeredTypes = ({ doc }: ProviderRecord): readonly string[] => {
  const { spec }: Doc = JSON.parse(doc);
  return (spec?.inventories ?? []).map(({ resourceType }) => resourceType);
};
