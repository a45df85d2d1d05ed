/** When a new claim begins and ends, by what it says and by what its projects allow. */
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import type { Draft } from './command.ts';
import type { Interval } from './hold.ts';
import type { QuotaRecord } from './quota.ts';
import { chainOf } from './quota-book.ts';
import { saidSpan } from './spoken.ts';

type FindQuota = (project: string) => QuotaRecord | undefined;

/** The present, and the field of the request that holds the spec. */
export type Asking = { readonly nowMs: number; readonly at?: string };

/** Errors: invalid_argument WINDOW_INVALID, failed_precondition CLAIM_TOO_LONG. */
export const windowOf = (draft: Draft, find: FindQuota, { nowMs, at }: Asking): Interval => {
  const field = `${at ?? 'claim.spec'}.release_time`;
  const fromMs = Math.max(draft.spec.acquireMs ?? nowMs, nowMs);
  const toMs = draft.spec.releaseMs ?? endOf(fromMs, lengthOf(draft, find));
  assertWindow({ fromMs, toMs, field }, nowMs);
  assertLength(draft, find, { fromMs, toMs, field });
  return { fromMs, toMs };
};

/** The end of the year 9999: what comes later no answer can say. */
export const LAST_MS = 253_402_300_799_999;

const endOf = (fromMs: number, lengthMs: number | undefined): number =>
  lengthMs === undefined ? Infinity : Math.min(fromMs + lengthMs, LAST_MS);

/** How long a claim lasts that says no end; undefined = until it is released. */
const lengthOf = (draft: Draft, find: FindQuota): number | undefined => {
  const mostMs = maxOf(draft, find)?.ms;
  if (draft.isUnbounded === true && mostMs === undefined) return undefined;
  const ms = Math.min(defaultMs(draft, find) ?? Infinity, mostMs ?? Infinity);
  return ms === Infinity ? undefined : ms;
};

type Owned = Pick<Draft, 'project' | 'ancestors'>;

/** A window with the field of the request that says its end. */
type Asked = Interval & { readonly field: string };

/** Errors: failed_precondition CLAIM_TOO_LONG. */
export const assertLength = (owned: Owned, find: FindQuota, asked: Asked): void => {
  const { fromMs, toMs, field } = asked;
  const limit = maxOf(owned, find);
  if (limit === undefined || toMs - fromMs <= limit.ms) return;
  const what =
    toMs === Infinity ? 'The claim has no end' : `${saidSpan(toMs - fromMs)} is too long`;
  const latest = new Date(fromMs + limit.ms).toISOString();
  throw failedPrecondition(
    'CLAIM_TOO_LONG',
    `${what}: project "${limit.project}" allows ${saidSpan(limit.ms)}, until ${latest}`,
    {
      metadata: {
        project: limit.project,
        claimLengthMax: `${limit.ms / 1000} s`,
        latestReleaseTime: latest,
        field,
      },
      violations: [{ field, description: `must be no later than ${latest}` }],
    },
  );
};

const maxOf = (owned: Owned, find: FindQuota) =>
  nearest(owned, find, ({ claimLengthMaxMs }) => claimLengthMaxMs);

const defaultMs = (owned: Owned, find: FindQuota): number | undefined =>
  nearest(owned, find, ({ claimLengthDefaultMs }) => claimLengthDefaultMs)?.ms;

/** What the nearest project says of the claim's own and those above it. */
const nearest = (
  owned: Owned,
  find: FindQuota,
  of: (quota: QuotaRecord) => number | undefined,
): { readonly ms: number; readonly project: string } | undefined => {
  for (const key of chainOf(owned)) {
    const quota = find(key);
    const ms = quota === undefined ? undefined : of(quota);
    if (quota !== undefined && ms !== undefined) return { ms, project: quota.project };
  }
  return undefined;
};

/** Errors: failed_precondition CLAIM_TOO_LONG, in the words of who looks for a time. */
export const assertDuration = (owned: Owned, find: FindQuota, durationMs: number): void => {
  const limit = maxOf(owned, find);
  if (limit === undefined || durationMs <= limit.ms) return;
  const { project, ms } = limit;
  const allowed = saidSpan(ms);
  throw failedPrecondition(
    'CLAIM_TOO_LONG',
    `${saidSpan(durationMs)} is too long: project "${project}" allows ${allowed}`,
    {
      metadata: { project, claimLengthMax: `${ms / 1000} s`, field: 'duration' },
      violations: [{ field: 'duration', description: `must be no longer than ${allowed}` }],
    },
  );
};

const assertWindow = ({ fromMs, toMs, field }: Asked, nowMs: number): void => {
  if (toMs > fromMs) return;
  const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
  const description = toMs <= nowMs ? 'lies in the past' : 'must be after acquire_time';
  throw invalidArgument('WINDOW_INVALID', `The window begins at ${from} and ends at ${to}`, {
    metadata: { acquireTime: from ?? '', releaseTime: to ?? '', field },
    violations: [{ field, description }],
  });
};
