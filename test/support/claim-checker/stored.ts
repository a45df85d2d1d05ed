/**
 * Reads the keys of a partition as the scheduler's README describes them. On purpose it shares no
 * code with the scheduler: a mistake there must not hide itself here.
 */
import type { KeyValue } from '../../../services/store/coordination/port.ts';

export type StoredHold = {
  readonly providerUid: string;
  /** By resource type. */
  readonly amounts: ReadonlyMap<string, number>;
  /** undefined = it is held. */
  readonly finishMs: number | undefined;
};

export type StoredClaim = {
  readonly uid: string;
  readonly project: string;
  readonly claimId: string;
  readonly createMs: number;
  readonly updateMs: number;
  readonly acquireMs: number;
  /** Infinity = for ever. */
  readonly releaseMs: number;
  readonly releaseBeginMs: number | undefined;
  readonly holds: readonly StoredHold[];
  /** It was moved to other providers after its creation. */
  readonly wasMoved: boolean;
  readonly logNumber: number;
  /** Ids of the requests that it remembers; the one that created it is the first. */
  readonly requests: readonly { readonly requestId: string; readonly verb: string }[];
};

export type StoredCapacity = {
  readonly providerUid: string;
  readonly generation: number;
  readonly closed: boolean;
};

export type Stored = {
  readonly claims: readonly StoredClaim[];
  readonly capacities: readonly StoredCapacity[];
  /** undefined = nothing was ever committed. */
  readonly head: { readonly number: number; readonly atMs: number } | undefined;
};

/** All keys below `partitions/<p>/`. */
export const readStored = (keys: readonly KeyValue[]): Stored => {
  const of = (word: string) =>
    keys.filter(({ key }) => key.split('/')[2] === word).map(({ value }) => fieldsOf(value));
  const [head] = of('head');
  return {
    claims: of('claims').map(claimOf),
    capacities: of('cap').map((record) => ({
      providerUid: textOf(record, 'providerUid'),
      generation: numberOf(record, 'generation'),
      closed: record.closed === true,
    })),
    head: head && { number: numberOf(head, 'number'), atMs: numberOf(head, 'atMs') },
  };
};

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: Uint8Array): Fields => {
  const record: unknown = JSON.parse(Buffer.from(value).toString());
  if (isFields(record)) return record;
  throw new Error(`The store holds ${Buffer.from(value).toString()}, which is no record`);
};

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

const claimOf = (record: Fields): StoredClaim => {
  const spec = partOf(record, 'spec');
  return {
    uid: textOf(record, 'uid'),
    project: textOf(record, 'project'),
    claimId: textOf(record, 'claimId'),
    createMs: numberOf(record, 'createMs'),
    updateMs: numberOf(record, 'updateMs'),
    acquireMs: numberOf(spec, 'acquireMs'),
    releaseMs: spec.releaseMs === undefined ? Infinity : numberOf(spec, 'releaseMs'),
    releaseBeginMs:
      record.releaseBeginMs === undefined ? undefined : numberOf(record, 'releaseBeginMs'),
    holds: holdsOf(record, listOf(spec, 'groups')),
    wasMoved: record.replacements !== undefined && record.replacements !== 0,
    logNumber: numberOf(record, 'logNumber'),
    requests: listOf(record, 'requests').map((note) => ({
      requestId: textOf(note, 'requestId'),
      verb: textOf(note, 'verb'),
    })),
  };
};

/** The amounts stand in the groups; a placement says which provider answers a group. */
const holdsOf = (record: Fields, groups: readonly Fields[]): readonly StoredHold[] => {
  const placements = listOf(record, 'placements');
  return listOf(record, 'providers').map((provider, at) => {
    const amounts = new Map<string, number>();
    for (const placement of placements) {
      if (numberOf(placement, 'provider') !== at) continue;
      const group = groups[numberOf(placement, 'group')];
      if (group === undefined) throw new Error('A placement answers a group that is not there');
      for (const [code, amount] of amountsOf(placement, listOf(group, 'resources'))) {
        amounts.set(code, (amounts.get(code) ?? 0) + amount);
      }
    }
    return {
      providerUid: textOf(provider, 'uid'),
      amounts,
      finishMs: provider.finishMs === undefined ? undefined : numberOf(provider, 'finishMs'),
    };
  });
};

/** A placement may be for some of the group's resources only, and of other amounts than asked. */
const amountsOf = (placement: Fields, wanted: readonly Fields[]) => {
  const which = numbersOf(placement, 'resources') ?? wanted.map((_, at) => at);
  const chosen = numbersOf(placement, 'amounts');
  return which.map((at, position): readonly [string, number] => {
    const resource = wanted[at];
    if (resource === undefined) throw new Error('A placement is for a resource nobody asked for');
    const amount = chosen?.[position] ?? numberOf(resource, 'amount');
    return [textOf(resource, 'resourceType'), amount];
  });
};

const numbersOf = (fields: Fields, name: string): readonly number[] | undefined => {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one === 'number')) return value;
  throw missing(fields, name, 'list of numbers');
};

const missing = (fields: Fields, name: string, what: string): Error =>
  new Error(`A stored record has no ${what} "${name}": ${JSON.stringify(fields)}`);

const textOf = (fields: Fields, name: string): string => {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw missing(fields, name, 'text');
};

const numberOf = (fields: Fields, name: string): number => {
  const value = fields[name];
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw missing(fields, name, 'number');
};

const partOf = (fields: Fields, name: string): Fields => {
  const value = fields[name];
  if (isFields(value)) return value;
  throw missing(fields, name, 'part');
};

const listOf = (fields: Fields, name: string): readonly Fields[] => {
  const value = fields[name];
  if (Array.isArray(value) && value.every(isFields)) return value;
  throw missing(fields, name, 'list');
};
