/**
 * Forms the next commit from what waits: decides one command after the other until the batch is
 * full.
 */
import { invalidArgument } from '../../runtime/errors.ts';
import type { Write } from '../../store/coordination/port.ts';
import type { CapacityRecord } from '../domain/capacity.ts';
import type { ClaimRecord } from '../domain/claim.ts';
import type { Command, Decision, LogEntry } from '../domain/command.ts';
import { decide, type Moment } from '../domain/decide.ts';
import { capacityKey, claimKey } from '../domain/keys.ts';
import type { PartitionState } from '../domain/partition-state.ts';
import { encodeCapacity, encodeClaim } from '../domain/record-format.ts';
import { OWN_WRITES } from './committer.ts';
import type { Pending } from './pending.ts';

export type Batch = {
  readonly entries: readonly LogEntry[];
  readonly writes: readonly Write[];
  readonly decisions: readonly Decision[];
  /** Decided, to be answered when the batch is committed. */
  readonly waiting: readonly { readonly pending: Pending; readonly decision: Decision }[];
  readonly claims: readonly ClaimRecord[];
  readonly forgotten: readonly string[];
  readonly capacities: readonly CapacityRecord[];
};

/** Puts of one transaction, head and log included. */
const PUTS_MAX = 64;
/** Below what a transaction may have in all, with room for the log. */
const BYTES_MAX = 800_000;
/** One record; a claim of a thousand machines has some 100 kB. */
const RECORD_BYTES_MAX = 400_000;

type Draft = {
  readonly writes: Map<string, Write>;
  readonly entries: LogEntry[];
  readonly decisions: Decision[];
  readonly waiting: { pending: Pending; decision: Decision }[];
  bytes: number;
};

export type Queue = {
  readonly shift: () => Pending | undefined;
  readonly unshift: (pending: Pending) => void;
};

/** What a refusal of the leader's own commands is reported to. */
export type OnRefused = (command: Command, error: unknown) => void;

export type BatchInput = {
  readonly state: PartitionState;
  readonly moment: Moment;
  /** Of the leader itself: they come first and have no caller. */
  readonly own: readonly Command[];
  readonly queue: Queue;
  readonly onRefused: OnRefused;
};

export const formBatch = (input: BatchInput): Batch => {
  const draft: Draft = {
    writes: new Map(),
    entries: [],
    decisions: [],
    waiting: [],
    bytes: 0,
  };
  for (const command of input.own) {
    try {
      if (add(input, draft, command) === 'full') break;
    } catch (error) {
      input.onRefused(command, error);
    }
  }
  for (let next = input.queue.shift(); next !== undefined; next = input.queue.shift()) {
    if (next.isDone()) continue;
    try {
      const added = add(input, draft, next.command);
      if (added === 'full') {
        input.queue.unshift(next);
        break;
      }
      next.decided();
      draft.waiting.push({ pending: next, decision: added });
    } catch (error) {
      next.reject(error);
    }
  }
  return finish(draft);
};

const add = ({ state, moment }: BatchInput, draft: Draft, command: Command): Decision | 'full' => {
  if (draft.writes.size + OWN_WRITES >= PUTS_MAX) return 'full';
  const decision = decide(state, command, moment);
  const { entry } = { entry: undefined, ...decision };
  if (entry === undefined) {
    state.take(decision, moment.nowMs);
    return decision;
  }
  const write = writeOf(state.partition, decision);
  const bytes = sizeOf(write) + JSON.stringify(entry).length;
  if (bytes > RECORD_BYTES_MAX) throw tooLarge(bytes);
  if (draft.bytes + bytes > BYTES_MAX) return 'full';
  draft.bytes += bytes;
  draft.writes.set('put' in write ? write.put : keyOfDelete(write), write);
  draft.entries.push(entry);
  draft.decisions.push(decision);
  state.take(decision, moment.nowMs);
  return decision;
};

const writeOf = (partition: string, decision: Decision): Write => {
  switch (decision.kind) {
    case 'claim':
    case 'shown':
      return {
        put: claimKey(partition, decision.claim.uid),
        value: encodeClaim(decision.claim),
      };
    case 'forgotten':
      return { delete: claimKey(partition, decision.claim.uid) };
    case 'capacity':
      return {
        put: capacityKey(partition, decision.capacity.providerUid),
        value: encodeCapacity(decision.capacity),
      };
  }
};

const keyOfDelete = (write: Write): string => ('delete' in write ? write.delete : '');

const sizeOf = (write: Write): number => ('put' in write ? write.value.byteLength : 0);

const tooLarge = (bytes: number) =>
  invalidArgument(
    'INVALID_FIELD',
    `The claim would be stored in ${bytes} bytes; at most ${RECORD_BYTES_MAX} are allowed`,
    { violations: [{ field: 'claim.spec.count', description: 'ask for less in one claim' }] },
  );

/** Several decisions on one object are one write: the last. */
const finish = (draft: Draft): Batch => {
  const claims = new Map<string, ClaimRecord>();
  const capacities = new Map<string, CapacityRecord>();
  const forgotten = new Set<string>();
  for (const decision of draft.decisions) {
    if (decision.kind === 'claim') claims.set(decision.claim.uid, decision.claim);
    if (decision.kind === 'forgotten') forgotten.add(decision.claim.uid);
    if (decision.kind === 'capacity') {
      capacities.set(decision.capacity.providerUid, decision.capacity);
    }
  }
  return {
    entries: draft.entries,
    writes: [...draft.writes.values()],
    decisions: draft.decisions,
    waiting: draft.waiting,
    claims: [...claims.values()],
    forgotten: [...forgotten],
    capacities: [...capacities.values()],
  };
};
