import { aborted } from '../../runtime/errors.ts';
import { assertNotReleasing, changed, findClaim } from './change-claim.ts';
import type { ClaimRecord } from './claim.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { entryOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';

/** Errors: aborted ETAG_MISMATCH when another has it, failed_precondition INVALID_STATE. */
export const decideTransfer = (
  state: PartitionState,
  command: Extract<Command, { verb: 'transfer' }>,
  moment: Moment,
): Decision => {
  const { origin, consumer, fromUid, verb } = command;
  const claim = findClaim(state, command.ref);
  command.precondition(claim);
  assertNotReleasing(claim, moment.nowMs);
  const before = claim.spec.consumer;
  if (fromUid !== undefined && before?.uid !== fromUid) {
    const now = before === undefined ? 'no consumer' : `consumer "${before.uid}"`;
    throw aborted('ETAG_MISMATCH', `The claim belongs to ${now}, not to "${fromUid}"`, {
      metadata: { consumer: before?.uid ?? '' },
    });
  }
  if (isSame(before, consumer)) return { kind: 'claim', claim, entry: undefined };
  const next: ClaimRecord = {
    ...changed(claim, { origin, verb, moment }),
    generation: claim.generation + 1,
    spec: { ...claim.spec, consumer },
  };
  const after = { consumer, before };
  return {
    kind: 'claim',
    claim: next,
    entry: entryOf('claim.transfer', { claim: next, origin, after }),
  };
};

type Who = ClaimRecord['spec']['consumer'];

const isSame = (a: Who, b: Who): boolean =>
  a?.uid === b?.uid && a?.type === b?.type && a?.name === b?.name;
