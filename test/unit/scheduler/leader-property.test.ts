/**
 * Random days of a leader: whatever is asked in whatever order, no provider is used above what it
 * has.
 */
import test from 'ava';
import fc from 'fast-check';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { choresOf } from '../../../services/scheduler/domain/chores.ts';
import { allocationsOf, isReleasing } from '../../../services/scheduler/domain/claim.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import { holdsOf, isWhole } from '../../../services/scheduler/domain/hold.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';
import { usageOf } from '../../../services/scheduler/domain/usage.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  factsOf,
  finishRelease,
  groupOf,
  offersFrom,
  originOf,
  setCapacity,
  stateWith,
  WHOLE,
} from './builders.ts';

const UIDS = ['p0', 'p1', 'p2'];
const OFFERS = { [CPU]: 4, [WHOLE]: 1 };
const END = 40;
const TIMES = { warnBeforeMs: 2, atRiskAfterMs: 2, replaceBeforeMs: 4, againMs: 3 };

type Step = (at: number, nowMs: number) => Command | 'pass' | 'fail-over';

const claimId = fc.nat(11).map((number) => `c${number}`);
const creating: fc.Arbitrary<Step> = fc
  .record({
    id: claimId,
    wants: fc.constantFrom({ [CPU]: 1 }, { [CPU]: 3 }, { [CPU]: 4 }, { [WHOLE]: 1 }),
    count: fc.integer({ min: 1, max: 2 }),
    inMs: fc.nat(10),
    forMs: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
    ranking: fc.constantFrom('pack' as const, 'spread' as const),
  })
  .map(({ id, wants, count, inMs, forMs, ranking }) => (at, nowMs) => {
    const command = createCommand({
      id,
      groups: [groupOf(wants)],
      count,
      ranking,
      requestId: `step-${at}`,
      acquireMs: nowMs + inMs,
      ...(forMs !== undefined && { releaseMs: nowMs + inMs + forMs }),
    });
    return command.verb === 'create'
      ? { ...command, draft: { ...command.draft, uid: `u${at}` } }
      : command;
  });
const releasing: fc.Arbitrary<Step> = claimId.map((id) => (at) => beginRelease(id, `step-${at}`));
const finishing: fc.Arbitrary<Step> = fc.tuple(claimId, fc.constantFrom(...UIDS)).map(
  ([id, uid]) =>
    () =>
      finishRelease(id, uid),
);
const resizing: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(...UIDS), fc.nat(6), fc.boolean(), fc.boolean())
  .map(
    ([uid, cpus, hasWhole, closed]) =>
      (at) =>
        setCapacity(
          uid,
          { [CPU]: cpus, ...(hasWhole && { [WHOLE]: 1 }) },
          { generation: at + 2, closed },
        ),
  );
const changing = (id: string) => ({
  origin: originOf(''),
  ref: { project: 'red', claim: id },
  precondition: () => undefined,
});
const extending: fc.Arbitrary<Step> = fc
  .tuple(claimId, fc.option(fc.integer({ min: 1, max: 20 })))
  .map(([id, ms]) => (_, nowMs) => ({
    ...changing(id),
    verb: 'extend',
    releaseMs: ms === null ? undefined : nowMs + ms,
  }));
const shortening: fc.Arbitrary<Step> = fc
  .tuple(claimId, fc.integer({ min: 1, max: 10 }))
  .map(([id, ms]) => (_, nowMs) => ({ ...changing(id), verb: 'shorten', releaseMs: nowMs + ms }));
const reshaping: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(...UIDS), fc.constantFrom(...UIDS), fc.nat(8), fc.nat(8))
  .map(([fromUid, toUid, few, many]) => (at) => ({
    verb: 'reshape',
    origin: originOf(''),
    providers: [
      { providerUid: fromUid, generation: at + 2, offers: offersFrom({ [CPU]: few, [WHOLE]: 1 }) },
      { providerUid: toUid, generation: at + 2, offers: offersFrom({ [CPU]: many, [WHOLE]: 1 }) },
    ],
    moves: [{ fromUid, toUid, resourceType: CPU, claimUid: undefined }],
  }));
const limiting: fc.Arbitrary<Step> = fc.option(fc.nat(12)).map((limit) => () => ({
  verb: 'set-quota',
  origin: originOf(''),
  project: 'red',
  ancestors: [],
  precondition: () => undefined,
  quota: { limits: new Map(limit === null ? [] : [[CPU, limit]]) },
}));
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: creating, weight: 6 },
  { arbitrary: releasing, weight: 4 },
  { arbitrary: finishing, weight: 8 },
  { arbitrary: resizing, weight: 1 },
  { arbitrary: extending, weight: 3 },
  { arbitrary: shortening, weight: 2 },
  { arbitrary: reshaping, weight: 1 },
  { arbitrary: limiting, weight: 1 },
  { arbitrary: fc.constant<Step>(() => 'pass'), weight: 3 },
  { arbitrary: fc.constant<Step>(() => 'fail-over'), weight: 1 },
);

const offered = (state: PartitionState, uid: string, code: string): number =>
  state.providers.find(uid)?.shape.offers.get(code)?.usable ?? 0;

/** Instant by instant, what claims hold by their windows; late ones are for the other check. */
const problemAt = (state: PartitionState, uid: string, nowMs: number): string | undefined => {
  const claims = [...state.claims.ofProvider(uid)].filter((claim) => !isReleasing(claim, nowMs));
  for (let at = nowMs; at <= nowMs + END; at += 1) {
    const holds = claims.flatMap((claim) => {
      const hold = holdsOf(claim, nowMs).get(uid);
      return hold !== undefined && hold.fromMs <= at && at < hold.toMs ? [hold] : [];
    });
    const slices = holds.filter((hold) => !isWhole(hold));
    const cpus = slices.reduce((sum, { amounts }) => sum + (amounts.get(CPU) ?? 0), 0);
    const wholes = holds.length - slices.length;
    if (cpus > offered(state, uid, CPU)) return `${uid} at ${at}: ${cpus} processors`;
    if (wholes > offered(state, uid, WHOLE)) return `${uid} at ${at}: whole ${wholes} times`;
    if (wholes > 0 && slices.length > 0) return `${uid} at ${at}: whole and in slices`;
  }
  const around = {
    claimsOn: state.claims.ofProvider,
    offersOf: (of: string) => state.providers.find(of)?.shape.offers ?? new Map(),
  };
  const over = usageOf(uid, around, nowMs).find(({ usable, used }) => used > usable);
  return over === undefined ? undefined : `${uid} now: ${over.used} of ${over.resourceType}`;
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

const rebuilt = (state: PartitionState, nowMs: number): PartitionState =>
  createPartitionState({
    partition: 'lab',
    claims: [...state.claims.all()],
    capacities: UIDS.flatMap((uid) => state.capacity(uid) ?? []),
    quotas: [...state.quotas.all()],
    facts: UIDS.map((uid) => factsOf({ uid, offers: OFFERS })),
    nowMs,
    times: TIMES,
  });

const apply = (state: PartitionState, command: Command, nowMs: number): boolean => {
  try {
    const decision = decide(state, command, { nowMs, logNumber: 1 });
    state.take(decision, nowMs);
    state.settle(decision, nowMs);
    return true;
  } catch (error) {
    if (isDomainError(error) && error.kind !== 'internal') return false;
    throw error;
  }
};

test('no provider and no quota is used above what it has at any instant, whatever happens', (t) => {
  let granted = 0;
  const done = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 25, maxLength: 60 }), (steps) => {
      let state = stateWith(
        UIDS.map((uid) => ({ uid, offers: OFFERS })),
        { times: TIMES },
      );
      let nowMs = 0;
      for (const [at, make] of steps.entries()) {
        const wish = make(at, nowMs);
        if (wish === 'pass') nowMs += 3;
        else if (wish === 'fail-over') state = rebuilt(state, nowMs);
        for (const late of state.overdue(nowMs)) {
          t.true(apply(state, beginRelease(late.uid, ''), nowMs));
        }
        for (const chore of choresOf(state, nowMs, true)) {
          if (apply(state, chore, nowMs)) done.set(chore.verb, (done.get(chore.verb) ?? 0) + 1);
        }
        if (typeof wish !== 'string' && apply(state, wish, nowMs)) {
          granted += 1;
          done.set(wish.verb, (done.get(wish.verb) ?? 0) + 1);
          t.is(limitProblem(state, wish, nowMs), undefined);
        }
        for (const uid of UIDS) {
          t.is(problemAt(state, uid, nowMs), undefined);
          t.is(bookingProblem(state, uid, nowMs), undefined);
        }
        t.is(quotaProblem(state, nowMs), undefined);
      }
    }),
    { numRuns: 400 },
  );
  t.true(granted > 500, 'the days have claims in them');
  t.log([...done].map(([verb, times]) => `${verb} ${times}`).join(', '));
  for (const verb of ['create', 'extend', 'shorten', 'reshape', 'assess', 'warn', 'set-quota']) {
    t.true((done.get(verb) ?? 0) > 0, verb);
  }
});
