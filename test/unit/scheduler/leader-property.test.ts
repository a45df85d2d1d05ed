/**
 * Random days of a leader: whatever is asked in whatever order, no provider is used above what it
 * has.
 */
import test from 'ava';
import fc from 'fast-check';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { isReleasing } from '../../../services/scheduler/domain/claim.ts';
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
  setCapacity,
  stateWith,
  WHOLE,
} from './builders.ts';

const UIDS = ['p0', 'p1', 'p2'];
const OFFERS = { [CPU]: 4, [WHOLE]: 1 };
const END = 40;

type Step = (at: number, nowMs: number) => Command | 'pass' | 'fail-over';

const claimId = fc.nat(7).map((number) => `c${number}`);
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
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: creating, weight: 6 },
  { arbitrary: releasing, weight: 2 },
  { arbitrary: finishing, weight: 4 },
  { arbitrary: resizing, weight: 1 },
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

const rebuilt = (state: PartitionState, nowMs: number): PartitionState =>
  createPartitionState({
    partition: 'lab',
    claims: [...state.claims.all()],
    capacities: UIDS.flatMap((uid) => state.capacity(uid) ?? []),
    facts: UIDS.map((uid) => factsOf({ uid, offers: OFFERS })),
    nowMs,
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

test('no provider is used above its inventory at any instant, whatever happens', (t) => {
  let granted = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      let state = stateWith(UIDS.map((uid) => ({ uid, offers: OFFERS })));
      let nowMs = 0;
      for (const [at, make] of steps.entries()) {
        const wish = make(at, nowMs);
        if (wish === 'pass') nowMs += 3;
        else if (wish === 'fail-over') state = rebuilt(state, nowMs);
        for (const late of state.overdue(nowMs)) {
          t.true(apply(state, beginRelease(late.uid, ''), nowMs));
        }
        if (typeof wish !== 'string' && apply(state, wish, nowMs)) granted += 1;
        for (const uid of UIDS) t.is(problemAt(state, uid, nowMs), undefined);
      }
    }),
    { numRuns: 400 },
  );
  t.true(granted > 500, 'the days have claims in them');
});
