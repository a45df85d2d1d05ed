/**
 * The leader of one partition: the only writer of its claims. Decisions are made in memory on what
 * is committed and on what was decided before. One commit is on its way at a time; what comes in
 * meanwhile is decided for the next one, which is sent and answered only when the one before it is
 * known to be written, and is dropped with the leadership when that is lost.
 */
import { nextTurn, OVER } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import { choresOf } from '../domain/chores.ts';
import { type Command, type Decision, ON_TIME } from '../domain/command.ts';
import { createLeaderTime, type LeaderTime } from '../domain/leader-time.ts';
import type { PartitionState } from '../domain/partition-state.ts';
import type { Head } from '../domain/record-format.ts';
import { settleBatch } from '../domain/settle-batch.ts';
import type { Granted, LocalLeader } from '../ports.ts';
import { type Batch, closeDraft, type Draft, fillDraft, openDraft } from './batch.ts';
import { type CommitResult, type CommitterOptions, createCommitter } from './committer.ts';
import { createFairQueue } from './fair-queue.ts';
import type { OwnCommit } from './follower.ts';
import { createPacedLooks } from './paced-looks.ts';
import { notLeader, outcomeUnknown, pend, pendAll, tooBusy } from './pending.ts';

export type LeaderLimits = {
  /** Commands that may wait for their decision; half of them of one caller. */
  readonly queueMax: number;
  /** Log entries that may wait for the collector before new claims are refused. */
  readonly backlogMax: number;
};

export type LeaderOptions = CommitterOptions & {
  readonly limits: LeaderLimits;
  readonly makeState: (nowMs: number) => PartitionState;
  /** Puts what was committed where reads find it; called before anybody is answered. */
  readonly onCommitted: (commit: OwnCommit) => void;
  /** Told before it is sent: the watch may bring it before the answer comes. */
  readonly onCommitting: (commit: Omit<OwnCommit, 'revision'>) => void;
  /** Store revision of a claim; of anything else that of the newest commit. */
  readonly revisionOf: (uid: string) => bigint;
  /** Log entries that wait for the collector. */
  readonly backlog: () => number;
  /** The command, with what others have too as one object. */
  readonly share: (command: Command) => Command;
  /** Why no claim can be placed now; undefined = it can. */
  readonly cannotPlace: () => Error | undefined;
};

export type Leader = LocalLeader & {
  readonly state: PartitionState;
  /** The leader's time. */
  readonly nowMs: () => number;
  /** Resolves when the leadership is over; whatever waits then is refused. */
  readonly run: () => Promise<void>;
};

export const createLeader = (deps: CoordinationDeps, options: LeaderOptions): Leader => {
  const { clock } = deps;
  const { partition, leadership, limits } = options;
  const time = createLeaderTime(
    { wallMs: () => clock.now().getTime(), monotonicMs: clock.monotonicMs },
    options.head?.head.atMs ?? 0,
  );
  const state = options.makeState(time.nowMs());
  const committer = createCommitter(deps, options);
  const queue = createFairQueue(clock.monotonicMs);
  const looks = createPacedLooks(clock);
  let wake = (): void => undefined;
  let hasEnded = false;
  /** Decided while a commit is on its way; the next one. */
  let draft = openDraft();
  /** Of commits before, but changed again by what was decided since. */
  let unsettled: readonly Decision[] = [];
  // The signal too: that the lease is over it sees at the clock, before anything was told.
  const isOver = (): boolean => hasEnded || leadership.signal.aborted;
  const assertServes = (): void => {
    if (isOver()) throw notLeader(partition);
    const refusal = options.cannotPlace();
    if (refusal !== undefined) throw refusal;
  };

  return {
    state,
    nowMs: time.nowMs,
    submit: (command, signal) => {
      const refusal = refusalOf(command);
      if (refusal !== undefined) return Promise.reject(refusal);
      const { pending, answer } = pend(options.share(command), signal);
      queue.push(pending);
      wake();
      return answer;
    },
    submitAll: (commands, signal) => {
      const { pending, answers } = pendAll(commands.map(options.share), signal);
      for (const one of pending) {
        const refusal = refusalOf(one.command);
        if (refusal === undefined) queue.push(one);
        else one.reject(refusal);
      }
      wake();
      return answers;
    },
    read: (caller, search, signal) =>
      looks.look(caller, () => whileServing(search(state, time.nowMs()), assertServes), signal),
    glance: (look) => {
      if (isOver()) throw notLeader(partition);
      return look(state, time.nowMs());
    },
    run: async () => {
      try {
        while (!leadership.signal.aborted) {
          const woken = listen();
          await gather();
          const batch = closeDraft(draft);
          draft = openDraft();
          if (batch.writes.length > 0) {
            if ((await commit(batch)) === 'lost') return;
          } else if (!answerUnwritten(batch)) {
            return;
          } else if (batch.waiting.length === 0 && queue.size() === 0) {
            await untilDue(deps, { state, time, woken, signal: leadership.signal });
          }
        }
      } finally {
        hasEnded = true;
        // It was never sent.
        refuse(options, draft, 'no');
        for (const pending of queue.takeAll()) pending.reject(notLeader(partition));
      }
    },
  };

  function listen(): Promise<void> {
    const woken = Promise.withResolvers<void>();
    wake = woken.resolve;
    return woken.promise;
  }

  /** Decides what is there, and what comes while it comes without a pause. */
  async function gather(): Promise<void> {
    const endMs = clock.monotonicMs() + GATHER_MS_MAX;
    fill(draft, committer.nextNumber());
    for (let still = 0; still < STILL_TURNS; still += 1) {
      if (draft.waiting.length === 0 || draft.isFull || clock.monotonicMs() >= endMs) return;
      await nextTurn();
      if (queue.size() === 0) continue;
      fill(draft, committer.nextNumber());
      still = 0;
    }
  }

  /** `logNumber`: of the commit that the draft becomes. */
  function fill(draft: Draft, logNumber: number): void {
    const nowMs = time.nowMs();
    fillDraft(draft, {
      state,
      moment: { nowMs, logNumber },
      own: ownCommands(draft, nowMs),
      queue,
      monotonicMs: clock.monotonicMs,
      refusal: (error) => (leadership.signal.aborted ? notLeader(partition) : error),
      onRefused: (command, error) => {
        deps.log.error({ err: error, verb: command.verb }, 'leader refused a command of its own');
        if (command.verb === 'begin-release') state.setAside(command.ref.claim, nowMs);
      },
    });
  }

  /** The leader's own come first in a batch, and once. */
  function ownCommands(draft: Draft, nowMs: number): readonly Command[] {
    const isFirst = draft.decisions.length === 0;
    // Asked every time: what has come to its end holds its providers until they are given back.
    const ends = state.overdue(nowMs, isFirst ? ENDS_MAX : 0);
    if (!isFirst) return [];
    const canPlace = options.cannotPlace() === undefined;
    return [
      ...ends.map((claim) => releaseOnTime(claim.project, claim.uid)),
      ...choresOf(state, nowMs, canPlace),
    ];
  }

  /** False when the leadership is over: no write goes along that the fence would refuse. */
  function answerUnwritten(batch: Batch): boolean {
    if (leadership.signal.aborted) refuse(options, batch, 'no');
    else answer(options, batch);
    return !leadership.signal.aborted;
  }

  async function commit(batch: Batch): Promise<CommitResult['kind']> {
    try {
      const { writes, entries, claims, forgotten, capacities, quotas } = batch;
      const own = { partition, claims, forgotten, capacities, quotas };
      const onHead = (head: Head) => options.onCommitting({ ...own, head });
      const atMs = time.nowMs();
      const number = committer.nextNumber();
      const sent = committer.commit({ writes, entries, atMs, onHead });
      const result = await meanwhile(sent, () => fill(draft, number + 1));
      if (result.kind === 'lost') {
        refuse(options, batch, result.applied);
        return 'lost';
      }
      const decisions = [...unsettled, ...batch.decisions];
      unsettled = settleBatch(state, { decisions, ahead: draft.decisions }, time.nowMs());
      options.onCommitted({ ...own, revision: result.revision, head: result.head });
      answer(options, batch);
      return 'committed';
    } catch (error) {
      // A bug, or a store that refuses what it should not: nobody knows what became of the batch.
      refuse(options, batch, isDomainError(error, 'invalid_argument') ? 'no' : 'unknown');
      throw error;
    }
  }

  /** Decides what comes until it is known what became of the commit. */
  async function meanwhile(sent: Promise<CommitResult>, decide: () => void): Promise<CommitResult> {
    let isKnown = false;
    const known = sent.finally(() => {
      isKnown = true;
      wake();
    });
    known.catch(() => undefined);
    while (!draft.isFull) {
      const woken = listen();
      if (queue.size() === 0) await woken;
      // What else came in this turn is decided together, callers in turns.
      if (!isKnown) await nextTurn();
      if (isKnown || leadership.signal.aborted) break;
      decide();
    }
    return known;
  }

  function refusalOf(command: Command): Error | undefined {
    if (isOver()) return notLeader(partition);
    // Whoever asks much leaves room for others.
    if (queue.waitingOf(command) >= limits.queueMax - queue.size()) {
      return tooBusy(`${queue.size()} changes wait for partition "${partition}" already`, 500);
    }
    if (command.verb !== 'create' && command.verb !== 'execute') return undefined;
    if (options.backlog() > limits.backlogMax) {
      return tooBusy('The history of claims lags behind; no new claim is taken until it is', 5000);
    }
    return options.cannotPlace();
  }
};

/** Asks before each step, since any time may have passed. */
function* whileServing<T>(search: Iterator<void, T>, assertServes: () => void): Generator<void, T> {
  for (;;) {
    assertServes();
    const step = search.next();
    if (step.done === true) return step.value;
    yield;
  }
}

/** Ends of windows that one batch writes; callers have the rest of it. */
const ENDS_MAX = 32;

/** What the end of its window does to a claim: the same as BeginRelease. */
const releaseOnTime = (project: string, uid: string): Command => ({
  verb: 'begin-release',
  origin: ON_TIME,
  ref: { project, claim: uid },
  precondition: () => undefined,
});

const answer = (options: LeaderOptions, { waiting }: Batch): void => {
  for (const { pending, decision } of waiting) pending.resolve(grantedOf(options, decision));
};

const grantedOf = ({ revisionOf }: LeaderOptions, decision: Decision): Granted => {
  switch (decision.kind) {
    case 'capacity':
      return { kind: 'capacity', revision: revisionOf(decision.capacity.providerUid) };
    case 'reshape':
      return { kind: 'reshape', claims: decision.moved, revision: revisionOf('') };
    case 'quota':
      return { kind: 'quota', quota: decision.quota, revision: revisionOf('') };
    case 'shown':
      return { kind: 'claim', claim: decision.claim, revision: 0n };
    case 'claim':
    case 'forgotten': {
      const { claim } = decision;
      return { kind: 'claim', claim, revision: revisionOf(claim.uid) };
    }
  }
};

const refuse = (
  { partition }: LeaderOptions,
  { waiting }: Pick<Batch, 'waiting'>,
  applied: 'no' | 'unknown',
): void => {
  for (const { pending } of waiting) {
    pending.reject(applied === 'no' ? notLeader(partition) : outcomeUnknown());
  }
};

/**
 * A commit costs as much as deciding several claims does, so it is not sent while more of them come
 * in. A turn of the event loop reads what has arrived after it has served who waits for a turn: the
 * second one without anything new says that nothing is there.
 */
const STILL_TURNS = 2;
/** Nobody waits longer for others. */
const GATHER_MS_MAX = 4;

type Waiting = {
  readonly state: PartitionState;
  readonly time: LeaderTime;
  readonly woken: Promise<void>;
  readonly signal: AbortSignal;
};

/** Longest sleep: what inventory tells meanwhile may have made something due. */
const SLEEP_MS_MAX = 10_000;

/** Until something is asked, a window ends or the leadership does. */
const untilDue = async (
  { clock }: CoordinationDeps,
  { state, time, woken, signal }: Waiting,
): Promise<void> => {
  const stop = new AbortController();
  const dueMs = (state.nextDueMs() ?? Infinity) - time.nowMs();
  const ms = Math.min(SLEEP_MS_MAX, Math.max(1, dueMs));
  const slept = clock.sleep(ms, AbortSignal.any([signal, stop.signal])).catch(() => undefined);
  await Promise.race([woken, slept]);
  stop.abort(OVER);
};
