/**
 * Sets what projects may claim. The limits of projects that lie in another fit into its own
 * together; what is used does not count here, a limit below it only blocks new claims.
 */
import { failedPrecondition } from '../../runtime/errors.ts';
import { keyOf, withNote } from './claim.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { noteOf, quotaEntryOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';
import type { QuotaRecord } from './quota.ts';
import { chainOf } from './quota-book.ts';

type SetQuota = Extract<Command, { verb: 'set-quota' }>;
type SetUsers = Extract<Command, { verb: 'set-user-quotas' }>;

/** Errors: failed_precondition QUOTA_EXCEEDED above what is left, IN_USE below what others have. */
export const decideQuota = (state: PartitionState, command: SetQuota, moment: Moment): Decision => {
  const before = state.quotas.find(command.project);
  command.precondition(before);
  const { claimLengthDefaultMs: _, claimLengthMaxMs: __, ...rest } = basisOf(before, command);
  const quota = stamped({ ...rest, ...command.quota }, command, moment);
  assertTreeFits(state, quota, before);
  return decided(state, 'quota.set', { quota, command });
};

export const decideUserQuotas = (
  state: PartitionState,
  command: SetUsers,
  moment: Moment,
): Decision => {
  const before = state.quotas.find(command.project);
  command.precondition(before);
  const quota = stamped({ ...basisOf(before, command), users: command.users }, command, moment);
  return decided(state, 'quota.set_users', { quota, command });
};

type Basis = Omit<QuotaRecord, 'updateMs'>;

const basisOf = (
  before: QuotaRecord | undefined,
  { project, ancestors }: SetQuota | SetUsers,
): Basis => ({
  limits: new Map(),
  users: new Map(),
  generation: 0,
  requests: [],
  ...before,
  project,
  ancestors,
});

const stamped = (
  quota: Basis,
  { origin, verb }: SetQuota | SetUsers,
  { nowMs }: Moment,
): QuotaRecord => ({
  ...quota,
  generation: quota.generation + 1,
  updateMs: nowMs,
  requests: withNote(quota.requests, noteOf(origin, verb, nowMs)),
});

type Outcome = { readonly quota: QuotaRecord; readonly command: SetQuota | SetUsers };

const decided = (
  { partition }: PartitionState,
  action: string,
  { quota, command }: Outcome,
): Decision => ({
  kind: 'quota',
  quota,
  entry: quotaEntryOf(action, { partition, quota, origin: command.origin }),
});

/** For every type whose limit changes: the project itself, and the one above that limits it. */
const assertTreeFits = (
  { quotas }: PartitionState,
  quota: QuotaRecord,
  before: QuotaRecord | undefined,
): void => {
  const all = new Map([...quotas.all()].map((record) => [keyOf(record.project), record]));
  const key = keyOf(quota.project);
  all.set(key, quota);
  for (const code of new Set([...quota.limits.keys(), ...(before?.limits.keys() ?? [])])) {
    const own = quota.limits.get(code);
    const above = limitedAbove(all, quota, code);
    for (const at of [key, above]) {
      const limit = at === undefined ? undefined : all.get(at)?.limits.get(code);
      if (at === undefined || limit === undefined) continue;
      const given = sumBelow(all, at, code);
      if (given > limit) throw doesNotFit({ at, key, code, limit, given, own });
    }
  }
};

/** Key of the nearest project above that limits the type. */
const limitedAbove = (
  all: ReadonlyMap<string, QuotaRecord>,
  record: QuotaRecord,
  code: string,
): string | undefined =>
  chainOf(record)
    .slice(1)
    .find((key) => all.get(key)?.limits.has(code));

/** Sum of the limits that have this one as the nearest above them. */
const sumBelow = (all: ReadonlyMap<string, QuotaRecord>, at: string, code: string): number => {
  let sum = 0;
  for (const record of all.values()) {
    const limit = record.limits.get(code);
    if (limit !== undefined && limitedAbove(all, record, code) === at) sum += limit;
  }
  return sum;
};

type Misfit = {
  /** The project whose limit is too small for those below it. */
  readonly at: string;
  /** The project that is being set. */
  readonly key: string;
  readonly code: string;
  readonly limit: number;
  readonly given: number;
  readonly own: number | undefined;
};

const doesNotFit = ({ at, key, code, limit, given, own }: Misfit) => {
  const metadata = { project: at, resourceType: code, limit: String(limit), given: String(given) };
  if (at === key) {
    return failedPrecondition(
      'IN_USE',
      `The projects below "${at}" have limits of ${given} of ${code} together; ${limit} is less`,
      { metadata },
    );
  }
  const left = limit - given + (own ?? 0);
  return failedPrecondition(
    'QUOTA_EXCEEDED',
    `Project "${at}" may hold ${limit} of ${code} and has ${Math.max(0, left)} of it left for "${key}"`,
    { metadata: { ...metadata, left: String(Math.max(0, left)) } },
  );
};
