/**
 * Forms the next commit from what waits: decides one command after the other until the draft is
 * full or the commit before it is known.
 */
import { invalidArgument } from '../../runtime/errors.ts';
import type { Write } from '../../store/coordination/port.ts';
import type { CapacityRecord } from '../domain/capacity.ts';
import type { ClaimRecord } from '../domain/claim.ts';
import { type Command, type Decision, entriesOf } from '../domain/command.ts';
import { decide, type Moment } from '../domain/decide.ts';
import { capacityKey, claimKey, quotaKey } from '../domain/keys.ts';
import type { PartitionState } from '../domain/partition-state.ts';
import type { QuotaRecord } from '../domain/quota.ts';
import { encodeCapacity, encodeClaim, encodeQuota } from '../domain/record-format.ts';
import { OWN_WRITES } from './committer.ts';
import type { FairQueue } from './fair-queue.ts';
import type { Pending } from './pending.ts';

export type Batch = {
  /** JSON of the log entries. */
  readonly entries: readonly string[];
  readonly writes: readonly Write[];
  readonly decisions: readonly Decision[];
  /** Decided, to be answered when the batch is committed. */
  readonly waiting: readonly { readonly pending: Pending; readonly decision: Decision }[];
  readonly claims: readonly ClaimRecord[];
  readonly forgotten: readonly string[];
  readonly capacities: readonly CapacityRecord[];
  readonly quotas: readonly QuotaRecord[];
};

/** Puts of one transaction, head and log included: a whole batch of claims and some more. */
const PUTS_MAX = 96;
/** What was decided for this long is committed, so that nobody waits for slow decisions. */
const DECIDE_MS_MAX = 20;
/** Below what a transaction may have in all, with room for the log. */
const BYTES_MAX = 800_000;
/** What a new record may have; a claim of a thousand machines has some 100 kB. */
const RECORD_BYTES_MAX = 400_000;
/** What a record may grow to: nothing keeps a claim from being given back. */
const GROWN_BYTES_MAX = BYTES_MAX;

/** Verbs that make a record, or as much of it as is asked for. */
const MAKING: ReadonlySet<Command['verb']> = new Set([
  'create',
  'execute',
  'reshape',
  'set-quota',
  'set-user-quotas',
]);

/** A batch that is being decided. */
export type Draft = {
  readonly writes: Map<string, Write>;
  /** JSON of the log entries. */
  readonly entries: string[];
  readonly decisions: Decision[];
  readonly waiting: { pending: Pending; decision: Decision }[];
  bytes: number;
  /** Deciding took so long. */
  decideMs: number;
  /** What waits has to wait for the next one. */
  isFull: boolean;
};

export const openDraft = (): Draft => ({
  writes: new Map(),
  entries: [],
  decisions: [],
  waiting: [],
  bytes: 0,
  decideMs: 0,
  isFull: false,
});

export type Queue = Pick<FairQueue, 'shift' | 'unshift' | 'charge'>;

/** What a refusal of the leader's own commands is reported to. */
export type OnRefused = (command: Command, error: unknown) => void;

export type BatchInput = {
  readonly state: PartitionState;
  readonly moment: Moment;
  /** Of the leader itself: they come first and have no caller. */
  readonly own: readonly Command[];
  readonly queue: Queue;
  readonly monotonicMs: () => number;
  readonly onRefused: OnRefused;
  /** What a caller is told who is refused: whoever leads no more knows nothing to refuse by. */
  readonly refusal: (error: unknown) => unknown;
};

/** Decides what waits, as far as the draft has room; call it again when more has come. */
export const fillDraft = (draft: Draft, input: BatchInput): void => {
  for (const command of input.own) {
    try {
      if (add(input, draft, command) === 'full') break;
    } catch (error) {
      input.onRefused(command, error);
    }
  }
  const { queue, monotonicMs } = input;
  for (let nowMs = monotonicMs(); !draft.isFull; ) {
    const next = queue.shift();
    if (next === undefined) return;
    if (next.isDone()) continue;
    decideNext(input, draft, next);
    const beganMs = nowMs;
    nowMs = monotonicMs();
    queue.charge(next, nowMs - beganMs);
    draft.decideMs += nowMs - beganMs;
    if (draft.decideMs >= DECIDE_MS_MAX) draft.isFull = true;
  }
};

const decideNext = (input: BatchInput, draft: Draft, next: Pending): void => {
  try {
    const added = add(input, draft, next.command);
    if (added === 'full') {
      draft.isFull = true;
      input.queue.unshift(next);
      return;
    }
    next.decided();
    draft.waiting.push({ pending: next, decision: added });
  } catch (error) {
    next.reject(input.refusal(error));
  }
};

const add = ({ state, moment }: BatchInput, draft: Draft, command: Command): Decision | 'full' => {
  if (draft.writes.size + OWN_WRITES >= PUTS_MAX) return 'full';
  const decision = decide(state, command, moment);
  const entries = entriesOf(decision);
  if (entries.length === 0) {
    state.take(decision, moment.nowMs);
    return decision;
  }
  const writes = writesOf(state.partition, decision);
  const size = writes.reduce((sum, write) => sum + sizeOf(write), 0);
  const texts = entries.map((entry) => JSON.stringify(entry));
  const bytes = texts.reduce((sum, text) => sum + text.length, size);
  const most = MAKING.has(command.verb) ? RECORD_BYTES_MAX : GROWN_BYTES_MAX;
  if (bytes > most || writes.length + OWN_WRITES > PUTS_MAX) {
    throw tooLarge(decision, { bytes, most, records: writes.length });
  }
  const puts = draft.writes.size + writes.length + OWN_WRITES;
  if (puts > PUTS_MAX || draft.bytes + bytes > BYTES_MAX) return 'full';
  draft.bytes += bytes;
  for (const write of writes) draft.writes.set(keyIn(write), write);
  draft.entries.push(...texts);
  draft.decisions.push(decision);
  state.take(decision, moment.nowMs);
  return decision;
};

const writesOf = (partition: string, decision: Decision): readonly Write[] => {
  switch (decision.kind) {
    case 'claim':
    case 'shown':
      return [claimWrite(partition, decision.claim)];
    case 'forgotten':
      return [{ delete: claimKey(partition, decision.claim.uid) }];
    case 'capacity':
      return [capacityWrite(partition, decision.capacity)];
    case 'reshape':
      return [
        ...decision.capacities.map((capacity) => capacityWrite(partition, capacity)),
        ...decision.claims.map(({ claim }) => claimWrite(partition, claim)),
      ];
    case 'quota': {
      const { quota } = decision;
      return [{ put: quotaKey(partition, quota.project), value: encodeQuota(quota) }];
    }
  }
};

const claimWrite = (partition: string, claim: ClaimRecord): Write => ({
  put: claimKey(partition, claim.uid),
  value: encodeClaim(claim),
});

const capacityWrite = (partition: string, capacity: CapacityRecord): Write => ({
  put: capacityKey(partition, capacity.providerUid),
  value: encodeCapacity(capacity),
});

const keyIn = (write: Write): string => {
  if ('put' in write) return write.put;
  return 'delete' in write ? write.delete : write.deletePrefix;
};

const sizeOf = (write: Write): number => ('put' in write ? write.value.byteLength : 0);

type Size = { readonly bytes: number; readonly most: number; readonly records: number };

/** What no transaction can hold, however empty it is. */
const tooLarge = ({ kind }: Decision, { bytes, most, records }: Size) => {
  if (kind === 'reshape') {
    return invalidArgument(
      'INVALID_FIELD',
      `The reshape would change ${records} records in ${bytes} bytes, more than one step can`,
      { violations: [{ field: 'moves', description: 'move fewer claims at once, by claim_uid' }] },
    );
  }
  const field = kind === 'quota' ? 'users' : 'claim.spec.count';
  return invalidArgument(
    'INVALID_FIELD',
    `The record would be stored in ${bytes} bytes; at most ${most} are allowed`,
    { violations: [{ field, description: 'ask for less in one record' }] },
  );
};

/** Several decisions on one object are one write: the last. */
export const closeDraft = (draft: Draft): Batch => {
  const claims = new Map<string, ClaimRecord>();
  const capacities = new Map<string, CapacityRecord>();
  const quotas = new Map<string, QuotaRecord>();
  const forgotten = new Set<string>();
  const keep = (decision: Decision): void => {
    if (decision.kind === 'claim') claims.set(decision.claim.uid, decision.claim);
    if (decision.kind === 'forgotten') forgotten.add(decision.claim.uid);
    if (decision.kind === 'quota') quotas.set(decision.quota.project, decision.quota);
    if (decision.kind === 'capacity') {
      capacities.set(decision.capacity.providerUid, decision.capacity);
    }
    if (decision.kind === 'reshape') {
      for (const record of decision.capacities) capacities.set(record.providerUid, record);
      for (const { claim } of decision.claims) claims.set(claim.uid, claim);
    }
  };
  draft.decisions.forEach(keep);
  return {
    entries: draft.entries,
    writes: [...draft.writes.values()],
    decisions: draft.decisions,
    waiting: draft.waiting,
    claims: [...claims.values()],
    forgotten: [...forgotten],
    capacities: [...capacities.values()],
    quotas: [...quotas.values()],
  };
};
