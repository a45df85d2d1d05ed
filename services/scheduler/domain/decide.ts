/**
 * Decides one command on what the leader knows. Pure: it changes nothing, whoever calls it applies
 * the decision. A refusal is thrown as DomainError and is not remembered; the same request is
 * decided again.
 */
import { invalidArgument, notFound } from '../../runtime/errors.ts';
import { endMs, isEnded } from './claim.ts';
import type { Command, Decision, Origin } from './command.ts';
import { decideCapacity } from './decide-capacity.ts';
import { decideAssess, decideWarn } from './decide-chore.ts';
import { decideCreate } from './decide-create.ts';
import { decideExecute } from './decide-execute.ts';
import { decideQuota, decideUserQuotas } from './decide-quota.ts';
import { decideBeginRelease, decideFinishRelease } from './decide-release.ts';
import { decideReshape } from './decide-reshape.ts';
import { decideExtend, decideShorten } from './decide-time.ts';
import { decideTransfer } from './decide-transfer.ts';
import { entryOf } from './log-entry.ts';
import type { PartitionState } from './partition-state.ts';

export type Moment = {
  readonly nowMs: number;
  /** Number of the log entry that the commit will write. */
  readonly logNumber: number;
};

export const decide = (state: PartitionState, command: Command, moment: Moment): Decision => {
  const before = answeredBefore(state, command);
  if (before !== undefined) return before;
  switch (command.verb) {
    case 'create':
      return decideCreate(state, command, moment);
    case 'execute':
      return decideExecute(state, command, moment);
    case 'extend':
      return decideExtend(state, command, moment);
    case 'shorten':
      return decideShorten(state, command, moment);
    case 'transfer':
      return decideTransfer(state, command, moment);
    case 'begin-release':
      return decideBeginRelease(state, command, moment);
    case 'finish-release':
      return decideFinishRelease(state, command, moment);
    case 'set-capacity':
      return decideCapacity(state, command, moment);
    case 'reshape':
      return decideReshape(state, command, moment);
    case 'set-quota':
      return decideQuota(state, command, moment);
    case 'set-user-quotas':
      return decideUserQuotas(state, command, moment);
    case 'warn':
      return decideWarn(state, command, moment);
    case 'assess':
      return decideAssess(state, command, moment);
    case 'forget':
      return decideForget(state, command);
  }
};

/** The object as it is now, when the same request was granted before. */
const answeredBefore = (state: PartitionState, command: Command): Decision | undefined => {
  const { origin, verb } = command;
  const answered = origin.requestId === '' ? undefined : state.answered(origin.requestId);
  if (answered === undefined) return undefined;
  const { note, object } = answered;
  const isSame =
    note.verb === verb &&
    note.argumentHash === origin.argumentHash &&
    note.caller === origin.caller;
  if (!isSame) throw requestIdReused(origin, note.verb);
  // It is known again by what it did, and says how much that was.
  if (verb === 'reshape') return undefined;
  if (object.kind === 'capacity') {
    const capacity = state.capacity(object.uid);
    return capacity === undefined ? undefined : { kind: 'capacity', capacity, entry: undefined };
  }
  if (object.kind === 'quota') {
    const quota = state.quotas.find(object.uid);
    return quota === undefined ? undefined : { kind: 'quota', quota, entry: undefined };
  }
  const claim = state.claims.get(object.uid);
  return claim === undefined ? undefined : { kind: 'claim', claim, entry: undefined };
};

const requestIdReused = ({ requestId }: Origin, verb: string) =>
  invalidArgument(
    'REQUEST_ID_REUSED',
    `Request id "${requestId}" was used before for ${verb} with other arguments`,
    { metadata: { requestId, verb } },
  );

/** An ended claim leaves coordination; history keeps it. */
const decideForget = (
  state: PartitionState,
  { uid, origin }: Extract<Command, { verb: 'forget' }>,
): Decision => {
  const claim = state.claims.get(uid);
  if (claim === undefined || !isEnded(claim)) {
    throw notFound('NOT_FOUND', `No ended claim "${uid}" is there`, { metadata: { name: uid } });
  }
  const after = { endMs: endMs(claim) };
  return { kind: 'forgotten', claim, entry: entryOf('claim.forget', { claim, origin, after }) };
};
