/**
 * Random days of a leader: whatever is asked in whatever order, no provider is used above what it
 * has.
 */
import test from 'ava';
import fc from 'fast-check';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { choresOf } from '../../../services/scheduler/domain/chores.ts';
import {
  allocationsOf,
  type ClaimRecord,
  isReleasing,
} from '../../../services/scheduler/domain/claim.ts';
import type { Command, Decision } from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import { type Hold, holdsOf, isWhole } from '../../../services/scheduler/domain/hold.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';
import { settleBatch } from '../../../services/scheduler/domain/settle-batch.ts';
import { usageOf } from '../../../services/scheduler/domain/usage.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { beginRelease, CPU, factsOf, type ProviderWish, stateWith, WHOLE } from './builders.ts';
import { END, fleet, step, UIDS } from './leader-steps.ts';

const TIMES = { warnBeforeMs: 2, atRiskAfterMs: 2, replaceBeforeMs: 4, againMs: 3 };

type Span = { readonly fromMs: number; readonly toMs: number };
type Seen = { readonly nowMs: number; readonly isMeant: (claim: ClaimRecord) => boolean };

/** Instant by instant, what is held of a provider above what it has. */
const overuseAt = (
  state: PartitionState,
  uid: string,
  { fromMs, toMs, nowMs, isMeant }: Span & Seen,
): string | undefined => {
  const claims = [...state.claims.ofProvider(uid)].filter(isMeant);
  const all = claims.flatMap((claim) => holdsOf(claim, nowMs).get(uid) ?? []);
  if (all.length === 0) return undefined;
  const offered = (code: string): number => state.offersOf(uid).get(code)?.usable ?? 0;
  const holdsOn = (uids: Iterable<string>): readonly Hold[] =>
    [...uids].flatMap((one) =>
      [...state.claims.ofProvider(one)]
        .filter(isMeant)
        .flatMap((claim) => holdsOf(claim, nowMs).get(one) ?? []),
    );
  const [above, below] = [state.around.above(uid), state.around.below(uid)].map(holdsOn);
  for (let at = fromMs; at < toMs; at += 1) {
    const isNow = (hold: Hold): boolean => hold.fromMs <= at && at < hold.toMs;
    const holds = all.filter(isNow);
    const slices = holds.filter((hold) => !isWhole(hold));
    const cpus = slices.reduce((sum, { amounts }) => sum + (amounts.get(CPU) ?? 0), 0);
    const wholes = holds.length - slices.length;
    if (cpus > offered(CPU)) return `${uid} at ${at}: ${cpus} processors`;
    if (wholes > offered(WHOLE)) return `${uid} at ${at}: whole ${wholes} times`;
    if (wholes > 0 && slices.length > 0) return `${uid} at ${at}: whole and in slices`;
    if (holds.length > 0 && above?.some((hold) => isWhole(hold) && isNow(hold))) {
      return `${uid} at ${at}: under a whole one`;
    }
    if (wholes > 0 && below?.some(isNow)) return `${uid} at ${at}: whole above another`;
  }
  return undefined;
};

/** What is newly held fits beside everything that is still held, late or not. */
const grantProblem = (
  state: PartitionState,
  command: Command,
  nowMs: number,
): string | undefined => {
  const seen: Seen = { nowMs, isMeant: () => true };
  if (command.verb === 'reshape') {
    const all = { fromMs: nowMs, toMs: nowMs + END, ...seen };
    return command.moves.map(({ toUid }) => overuseAt(state, toUid, all)).find(Boolean);
  }
  if (command.verb !== 'create') return undefined;
  const claim = state.claims.get(command.draft.uid);
  if (claim === undefined) return undefined;
  const { acquireMs, releaseMs = Infinity } = claim.spec;
  const own = { fromMs: acquireMs, toMs: Math.min(releaseMs, nowMs + END), ...seen };
  return claim.providers.map(({ uid }) => overuseAt(state, uid, own)).find(Boolean);
};

/** By their windows; late ones are for the other check. */
const problemAt = (state: PartitionState, uid: string, nowMs: number): string | undefined => {
  const isMeant = (claim: ClaimRecord): boolean => !isReleasing(claim, nowMs);
  const found = overuseAt(state, uid, { fromMs: nowMs, toMs: nowMs + END + 1, nowMs, isMeant });
  if (found !== undefined) return found;
  const over = usageOf(uid, state.around, nowMs).find(({ usable, used }) => used > usable);
  if (over !== undefined) return `${uid} now: ${over.used} of ${over.resourceType}`;
  const isUsed = (one: string, isMeantType: (code: string) => boolean): boolean =>
    usageOf(one, state.around, nowMs).some(
      ({ resourceType, used }) => used > 0 && isMeantType(resourceType),
    );
  const isUnderWhole = [...state.around.above(uid)].some((one) =>
    isUsed(one, (code) => code === WHOLE),
  );
  return isUnderWhole && isUsed(uid, () => true) ? `${uid} now: under a whole one` : undefined;
};

/** What placement believes to be held is what the claims say, no more and no less. */
const bookingProblem = (state: PartitionState, uid: string, nowMs: number): string | undefined => {
  const booked = [...state.providers.holdsOn(uid)].map(({ claimUid }) => claimUid).sort();
  const held = [...state.claims.all()]
    .filter((claim) => holdsOf(claim, nowMs).has(uid))
    .map((claim) => claim.uid)
    .sort();
  return booked.join() === held.join() ? undefined : `${uid}: ${booked.join()}, not ${held.join()}`;
};

/** Processors that claims of the project count at an instant, claim by claim. */
const countedAt = (state: PartitionState, at: number): number =>
  [...state.claims.all()]
    .filter(({ releaseBeginMs }) => releaseBeginMs === undefined)
    .filter(({ spec }) => spec.acquireMs <= at && at < (spec.releaseMs ?? Infinity))
    .flatMap(allocationsOf)
    .reduce((sum, { resourceType, amount }) => sum + (resourceType === CPU ? amount : 0), 0);

const quotaProblem = (state: PartitionState, nowMs: number): string | undefined => {
  state.quotas.setNow(nowMs);
  const use = state.quotas.uses('red', nowMs).find(({ resourceType }) => resourceType === CPU);
  const instants = Array.from({ length: END }, (_, ms) => countedAt(state, nowMs + ms));
  const peak = Math.max(...instants);
  if ((use?.used ?? 0) !== instants[0]) return `${use?.used} are counted, not ${instants[0]}`;
  return (use?.peak ?? 0) === peak ? undefined : `a peak of ${use?.peak}, not ${peak}`;
};

/** What was granted now is within the limit at every instant that it added. */
const limitProblem = (state: PartitionState, command: Command, nowMs: number) => {
  const limit = state.quotas.find('red')?.limits.get(CPU);
  if (limit === undefined || command.verb !== 'create') return undefined;
  const claim = state.claims.get(command.draft.uid);
  if (claim === undefined) return undefined;
  if (!allocationsOf(claim).some(({ resourceType }) => resourceType === CPU)) return undefined;
  const { acquireMs, releaseMs = Infinity } = claim.spec;
  for (let at = acquireMs; at < Math.min(releaseMs, nowMs + END); at += 1) {
    const counted = countedAt(state, at);
    if (counted > limit) return `${counted} of ${limit} at ${at}`;
  }
  return undefined;
};

const rebuilt = (
  state: PartitionState,
  nowMs: number,
  providers: readonly ProviderWish[],
): PartitionState =>
  createPartitionState({
    partition: 'lab',
    claims: [...state.claims.all()],
    capacities: UIDS.flatMap((uid) => state.capacity(uid) ?? []),
    quotas: [...state.quotas.all()],
    facts: providers.map(factsOf),
    nowMs,
    times: TIMES,
  });

/** A leader's decisions, from their making to their commit. */
type Day = {
  state: PartitionState;
  nowMs: number;
  /** Decided, and not sent. */
  readonly draft: Decision[];
  /** In the commit that is on its way. */
  flight: readonly Decision[];
  /** Of commits before. */
  unsettled: readonly Decision[];
  /** Claims as they were committed last. */
  readonly committed: Map<string, ClaimRecord>;
};

const apply = ({ state, draft, nowMs }: Day, command: Command): boolean => {
  try {
    const decision = decide(state, command, { nowMs, logNumber: 1 });
    state.take(decision, nowMs);
    draft.push(decision);
    return true;
  } catch (error) {
    if (isDomainError(error) && error.kind !== 'internal') return false;
    throw error;
  }
};

const claimsIn = (decision: Decision): readonly ClaimRecord[] => {
  if (decision.kind === 'reshape') return decision.claims.map(({ claim }) => claim);
  return decision.kind === 'claim' ? [decision.claim] : [];
};

/** The commit that is on its way is known to be written. */
const land = (day: Day): void => {
  const decisions = [...day.unsettled, ...day.flight];
  day.unsettled = settleBatch(day.state, { decisions, ahead: day.draft }, day.nowMs);
  for (const claim of day.flight.flatMap(claimsIn)) day.committed.set(claim.uid, claim);
  day.flight = [];
};

/** What is decided goes on its way; the commit before it is known by then. */
const send = (day: Day): void => {
  land(day);
  day.flight = day.draft.splice(0);
};

const landAll = (day: Day): void => {
  send(day);
  land(day);
};

/**
 * Whatever is decided meanwhile: what is held by what is committed is booked, and no less. Who is
 * late follows from what was decided last.
 */
const lostHold = ({ state, committed, nowMs }: Day): string | undefined => {
  for (const claim of committed.values()) {
    const { releaseMs = Infinity } = claim.spec;
    const newest = state.claims.get(claim.uid);
    for (const [uid, hold] of holdsOf(claim, nowMs)) {
      const isThere = newest?.providers.some((provider) => provider.uid === uid) === true;
      const toMs = isThere && isReleasing(newest, nowMs) ? hold.toMs : releaseMs;
      const booked = [...state.providers.holdsOn(uid)].find((one) => one.claimUid === claim.uid);
      const isBooked =
        booked !== undefined &&
        booked.fromMs <= hold.fromMs &&
        toMs <= booked.toMs &&
        [...hold.amounts].every(([code, amount]) => (booked.amounts.get(code) ?? 0) >= amount);
      if (!isBooked) return `${uid} of ${claim.claimId}`;
    }
  }
  return undefined;
};

const MOST_IN_BATCH = 4;
/** What follows a step: more for its commit, its commit on its way, or known. */
const follows = fc.constantFrom('more', 'sent', 'known');
const day = fc.array(fc.record({ make: step, next: follows }), {
  minLength: 25,
  maxLength: 60,
});

test('no provider and no quota is used above what it has at any instant, whatever happens', (t) => {
  let granted = 0;
  let together = 0;
  let ahead = 0;
  const done = new Map<string, number>();
  const note = (verb: string): void => void done.set(verb, (done.get(verb) ?? 0) + 1);
  const onTime = (day: Day): void => {
    const { state, nowMs, draft } = day;
    // The leader's own come first in a batch.
    const isFirst = draft.length === 0;
    for (const late of state.overdue(nowMs, isFirst ? 1_000 : 0)) {
      t.true(apply(day, beginRelease(late.uid, '')));
    }
    if (!isFirst) return;
    for (const chore of choresOf(state, nowMs, true)) {
      if (apply(day, chore)) note(chore.verb);
    }
  };
  const assertExact = ({ state, nowMs }: Day): void => {
    for (const uid of UIDS) {
      t.is(problemAt(state, uid, nowMs), undefined);
      t.is(bookingProblem(state, uid, nowMs), undefined);
    }
    t.is(quotaProblem(state, nowMs), undefined);
  };
  fc.assert(
    fc.property(day, fc.boolean(), (steps, isTree) => {
      const day: Day = {
        state: stateWith(fleet(isTree), { times: TIMES }),
        nowMs: 0,
        draft: [],
        flight: [],
        unsettled: [],
        committed: new Map(),
      };
      for (const [at, { make, next }] of steps.entries()) {
        const wish = make(at, day.nowMs, day.state);
        if (wish === 'pass') day.nowMs += 3;
        if (wish === 'fail-over') {
          landAll(day);
          day.state = rebuilt(day.state, day.nowMs, fleet(isTree));
        }
        onTime(day);
        const before = day.flight.length > 0;
        if (typeof wish !== 'string' && apply(day, wish)) {
          granted += 1;
          if (before) ahead += 1;
          note(wish.verb);
          t.is(limitProblem(day.state, wish, day.nowMs), undefined);
          t.is(grantProblem(day.state, wish, day.nowMs), undefined);
        }
        t.is(lostHold(day), undefined);
        if (next === 'more' && day.draft.length < MOST_IN_BATCH) continue;
        together += Math.max(0, day.draft.length - 1);
        if (next === 'known') landAll(day);
        else send(day);
        t.is(lostHold(day), undefined);
        if (day.flight.length === 0) assertExact(day);
      }
      landAll(day);
      assertExact(day);
    }),
    { numRuns: propertyRuns(1_000) },
  );
  t.true(granted > propertyRuns(500), 'the days have claims in them');
  t.true(together > propertyRuns(500), 'and many of them share a commit');
  t.true(ahead > propertyRuns(500), 'or are decided before another is known');
  t.log([...done].map(([verb, times]) => `${verb} ${times}`).join(', '));
  for (const verb of ['create', 'extend', 'shorten', 'reshape', 'assess', 'warn', 'set-quota']) {
    t.true((done.get(verb) ?? 0) > 0, verb);
  }
});
