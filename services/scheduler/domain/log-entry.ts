import type { CapacityRecord } from './capacity.ts';
import { type ClaimRecord, claimName, type RequestNote } from './claim.ts';
import type { LogEntry, Origin } from './command.ts';
import { type QuotaRecord, quotaIdentity } from './quota.ts';

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

type OfQuota = {
  readonly partition: string;
  readonly quota: QuotaRecord;
  readonly origin: Origin;
};

export const quotaEntryOf = (action: string, { partition, quota, origin }: OfQuota): LogEntry => ({
  action,
  objectKind: 'quota',
  objectUid: quotaIdentity(partition, quota).uid,
  objectName: `partitions/${partition}/projects/${quota.project}/quota`,
  project: quota.project,
  ...whoOf(origin),
  after: {
    generation: quota.generation,
    limits: Object.fromEntries(quota.limits),
    users: quota.users.size,
    claimLengthDefaultMs: quota.claimLengthDefaultMs,
    claimLengthMaxMs: quota.claimLengthMaxMs,
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
