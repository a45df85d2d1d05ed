/** Moves the end of a claim. */
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import { assertNotReleasing, changed, findClaim, withoutWarning } from './change-claim.ts';
import type { ClaimRecord } from './claim.ts';
import { assertLength } from './claim-length.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { entryOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';
import { assertQuota } from './quota-check.ts';
import { givenAmounts } from './quota-count.ts';
import { obstacleIn } from './room.ts';

type Extend = Extract<Command, { verb: 'extend' }>;
type Shorten = Extract<Command, { verb: 'shorten' }>;

/**
 * Errors: failed_precondition INVALID_STATE, CLAIM_TOO_LONG, NOT_EXTENDABLE; resource_exhausted
 * QUOTA_EXCEEDED; invalid_argument for an end that is not later.
 */
export const decideExtend = (state: PartitionState, command: Extend, moment: Moment): Decision => {
  const claim = claimToMove(state, command, moment);
  const { acquireMs, releaseMs: oldMs } = claim.spec;
  const { releaseMs } = command;
  if (releaseMs === oldMs) return { kind: 'claim', claim, entry: undefined };
  const toMs = releaseMs ?? Infinity;
  if (oldMs === undefined || toMs < oldMs) {
    throw wrongEnd(oldMs === undefined ? 'the claim has no end that could be later' : later(oldMs));
  }
  assertLength(claim, state.quotas.find, { fromMs: acquireMs, toMs, field: 'release_time' });
  const added = { fromMs: oldMs, toMs };
  const amounts = () => givenAmounts(claim.spec, claim.placements);
  assertQuota(state.quotas, claim, { amounts, over: added });
  assertRoom(state, claim, added);
  return moved(claim, { command, releaseMs, action: 'claim.extend' }, moment);
};

/** Errors: failed_precondition INVALID_STATE; invalid_argument for an end that is not earlier. */
export const decideShorten = (
  state: PartitionState,
  command: Shorten,
  moment: Moment,
): Decision => {
  const claim = claimToMove(state, command, moment);
  const { acquireMs, releaseMs: oldMs } = claim.spec;
  const { releaseMs } = command;
  if (releaseMs === oldMs) return { kind: 'claim', claim, entry: undefined };
  if (releaseMs > (oldMs ?? Infinity)) {
    throw wrongEnd(`must be earlier than ${new Date(oldMs ?? 0).toISOString()}`);
  }
  if (releaseMs <= moment.nowMs)
    throw wrongEnd('must not be in the past; to end the claim now, release it');
  if (releaseMs <= acquireMs) {
    throw wrongEnd(`must be later than its begin, ${new Date(acquireMs).toISOString()}`);
  }
  return moved(claim, { command, releaseMs, action: 'claim.shorten' }, moment);
};

const claimToMove = (
  state: PartitionState,
  { ref, precondition }: Extend | Shorten,
  { nowMs }: Moment,
): ClaimRecord => {
  const claim = findClaim(state, ref);
  precondition(claim);
  assertNotReleasing(claim, nowMs);
  return claim;
};

type Moving = {
  readonly command: Extend | Shorten;
  readonly releaseMs: number | undefined;
  readonly action: string;
};

/** Of the new end nobody was warned yet. */
const moved = (
  claim: ClaimRecord,
  { command: { origin, verb }, releaseMs, action }: Moving,
  moment: Moment,
): Decision => {
  const next: ClaimRecord = {
    ...changed(withoutWarning(claim), { origin, verb, moment }),
    generation: claim.generation + 1,
    spec: { ...claim.spec, releaseMs },
  };
  const after = { releaseMs, before: claim.spec.releaseMs };
  return { kind: 'claim', claim: next, entry: entryOf(action, { claim: next, origin, after }) };
};

const assertRoom = (
  state: PartitionState,
  claim: ClaimRecord,
  added: { readonly fromMs: number; readonly toMs: number },
): void => {
  const obstacle = obstacleIn(state, claim, added);
  if (obstacle === undefined) return;
  const { providerUid, provider, resourceType, freeUntilMs } = obstacle;
  const until = freeUntilMs === undefined ? '' : new Date(freeUntilMs).toISOString();
  const hint = until === '' ? '' : `; it could last until ${until}`;
  throw failedPrecondition(
    'NOT_EXTENDABLE',
    `${resourceType} of provider "${provider}" is held by others in the time after${hint}`,
    { metadata: { providerUid, provider, resourceType, ...(until !== '' && { until }) } },
  );
};

const later = (ms: number): string => `must be later than ${new Date(ms).toISOString()}`;

const wrongEnd = (description: string) =>
  invalidArgument('INVALID_FIELD', `release_time ${description}`, {
    metadata: { field: 'release_time' },
    violations: [{ field: 'release_time', description }],
  });
