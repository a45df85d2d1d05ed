/** Between quotas of the contract and the records of the domain. */
import { create } from '@bufbuild/protobuf';
import { type Duration, durationFromMs, durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Quota,
  type QuotaLimit as QuotaLimitMessage,
  QuotaSchema,
  type QuotaSpec as QuotaSpecMessage,
  type UserQuota as UserQuotaMessage,
} from '../../../gen/runmachine/scheduler/v1/quota_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import type { Command } from '../domain/command.ts';
import {
  type Limits,
  NO_LIMITS,
  type QuotaRecord,
  type QuotaUse,
  quotaIdentity,
} from '../domain/quota.ts';
import { invalidField } from './claim-request.ts';

export type QuotaShown = {
  readonly partition: string;
  /** As metadata spells it. */
  readonly project: string;
  /** undefined = nothing was ever set. */
  readonly record: QuotaRecord | undefined;
  readonly uses: readonly QuotaUse[];
  readonly incarnation: number;
};

export const quotaMessage = ({
  partition,
  project,
  record,
  uses,
  incarnation,
}: QuotaShown): Quota => {
  const generation = record?.generation ?? 0;
  return create(QuotaSchema, {
    name: `partitions/${partition}/projects/${project}/quota`,
    etag: etagOf(quotaIdentity(partition, { project, generation }), incarnation),
    generation: BigInt(generation),
    ...(record !== undefined && { updateTime: timestampFromMs(record.updateMs) }),
    spec: {
      limits: limitMessages(record?.limits ?? NO_LIMITS),
      users: [...(record?.users ?? [])].map(([user, limits]) => ({
        user,
        limits: limitMessages(limits),
      })),
      ...(record?.claimLengthDefaultMs !== undefined && {
        claimLengthDefault: durationFromMs(record.claimLengthDefaultMs),
      }),
      ...(record?.claimLengthMaxMs !== undefined && {
        claimLengthMax: durationFromMs(record.claimLengthMaxMs),
      }),
    },
    status: {
      uses: uses.map(({ resourceType, limit, used, peak }) => ({
        resourceType,
        limited: limit !== undefined,
        limit: BigInt(limit ?? 0),
        used: BigInt(used),
        peak: BigInt(peak),
      })),
    },
  });
};

const limitMessages = (limits: Limits) =>
  [...limits].map(([resourceType, amount]) => ({ resourceType, amount: BigInt(amount) }));

type SetQuota = Extract<Command, { verb: 'set-quota' }>['quota'];

/** Errors: invalid_argument INVALID_FIELD. */
export const quotaOf = (spec: QuotaSpecMessage | undefined): SetQuota => {
  const { claimLengthDefault, claimLengthMax, limits = [] } = spec ?? {};
  const claimLengthDefaultMs = lengthOf(claimLengthDefault, 'quota.spec.claim_length_default');
  const claimLengthMaxMs = lengthOf(claimLengthMax, 'quota.spec.claim_length_max');
  if ((claimLengthDefaultMs ?? 0) > (claimLengthMaxMs ?? Infinity)) {
    throw invalidField('quota.spec.claim_length_default', 'must be no more than claim_length_max');
  }
  return {
    limits: limitsOf(limits, 'quota.spec.limits'),
    ...(claimLengthDefaultMs !== undefined && { claimLengthDefaultMs }),
    ...(claimLengthMaxMs !== undefined && { claimLengthMaxMs }),
  };
};

/** A hundred years. */
const LENGTH_MS_MAX = 100 * 365.25 * 24 * 3_600_000;

const lengthOf = (length: Duration | undefined, field: string): number | undefined => {
  if (length === undefined) return undefined;
  const ms = durationMs(length);
  if (ms >= 1 && ms <= LENGTH_MS_MAX) return Math.floor(ms);
  throw invalidField(field, 'must be at least a millisecond and at most a hundred years');
};

/** Errors: invalid_argument INVALID_FIELD. */
export const userQuotasOf = (users: readonly UserQuotaMessage[]): QuotaRecord['users'] => {
  const made = new Map<string, Limits>();
  for (const [at, { user, limits }] of users.entries()) {
    if (made.has(user)) throw invalidField(`users[${at}].user`, `"${user}" stands twice`);
    made.set(user, limitsOf(limits, `users[${at}].limits`));
  }
  return made;
};

const limitsOf = (limits: readonly QuotaLimitMessage[], at: string): Limits => {
  const made = new Map<string, number>();
  for (const [position, { resourceType, amount }] of limits.entries()) {
    const field = `${at}[${position}]`;
    if (made.has(resourceType)) {
      throw invalidField(`${field}.resource_type`, `"${resourceType}" stands twice`);
    }
    if (amount > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw invalidField(`${field}.amount`, 'must be below 2^53');
    }
    made.set(resourceType, Number(amount));
  }
  return made;
};
