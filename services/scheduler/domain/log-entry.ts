import type { CapacityRecord } from './capacity.ts';
import { type ClaimRecord, claimName, type RequestNote } from './claim.ts';
import type { LogEntry, Origin } from './command.ts';

type OfClaim = {
  readonly claim: ClaimRecord;
  readonly origin: Origin;
  readonly after: Readonly<Record<string, unknown>>;
};

export const entryOf = (action: string, { claim, origin, after }: OfClaim): LogEntry => ({
  action,
  objectKind: 'claim',
  objectUid: claim.uid,
  objectName: claimName(claim),
  project: claim.project,
  ...whoOf(origin),
  after,
});

type OfCapacity = {
  readonly record: CapacityRecord;
  readonly name: string;
  readonly origin: Origin;
};

export const capacityEntryOf = ({ record, name, origin }: OfCapacity): LogEntry => ({
  action: 'capacity.set',
  objectKind: 'capacity',
  objectUid: record.providerUid,
  objectName: name,
  project: '',
  ...whoOf(origin),
  after: {
    generation: record.generation,
    closed: record.closed,
    usable: Object.fromEntries([...record.offers].map(([code, { usable }]) => [code, usable])),
  },
});

const whoOf = ({ principal, onBehalfOf, requestId }: Origin) => ({
  principal,
  onBehalfOf,
  requestId,
});

/** What the record remembers of the request; undefined for what the leader does by itself. */
export const noteOf = (
  { requestId, argumentHash, caller }: Origin,
  verb: string,
  atMs: number,
): RequestNote | undefined =>
  requestId === '' ? undefined : { requestId, argumentHash, verb, caller, atMs };
