import test from 'ava';
import { CHORE_TIMES, choresOf } from '../../../services/scheduler/domain/chores.ts';
import { claimState } from '../../../services/scheduler/domain/claim-state.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  factsOf,
  finishRelease,
  granted,
  groupOf,
  originOf,
  type ProviderWish,
  run,
  setCapacity,
  stateWith,
} from './builders.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const OFFERS = { [CPU]: 4 };
const hosts = (count: number): readonly ProviderWish[] =>
  Array.from({ length: count }, (_, at) => ({ uid: `p${at + 1}`, offers: OFFERS }));
const cpus = (amount: number) => [groupOf({ [CPU]: amount })];

/** What the leader does by itself until nothing is left to be done now; gives the actions. */
const tick = (state: PartitionState, nowMs: number, canPlace = true): readonly string[] => {
  const actions: string[] = [];
  for (let turn = 0; turn < 100; turn += 1) {
    const ends = state.overdue(nowMs, 1_000).map(({ uid }) => beginRelease(uid, ''));
    const commands: readonly Command[] = [...ends, ...choresOf(state, nowMs, canPlace)];
    for (const command of commands) {
      const decision = run(state, command, nowMs);
      if ('entry' in decision && decision.entry !== undefined) actions.push(decision.entry.action);
    }
    if ((state.nextDueMs() ?? Infinity) > nowMs) return actions;
  }
  throw new Error('There is no end of what is to be done');
};

const find = (state: PartitionState, id: string) => {
  const claim = state.claims.findByName('red', id);
  if (claim === undefined) throw new Error(`There is no claim ${id}`);
  return claim;
};
const stateOf = (state: PartitionState, id: string, nowMs: number): string =>
  claimState(find(state, id), state.around, nowMs);
const providersOf = (state: PartitionState, id: string) =>
  find(state, id).providers.map(({ uid }) => uid);
const holdsOn = (state: PartitionState, uid: string) =>
  [...state.providers.holdsOn(uid)].map(({ claimUid }) => claimUid);

const close = (uid: string, closed = true): Command =>
  setCapacity(uid, OFFERS, { generation: 1, closed });

const extend = (id: string, releaseMs: number): Command => ({
  verb: 'extend',
  origin: originOf(''),
  ref: { project: 'red', claim: id },
  precondition: () => undefined,
  releaseMs,
});

test('an owner is warned once of an end, a day before it or at half of a short claim', (t) => {
  const state = stateWith(hosts(1));
  granted(state, createCommand({ id: 'long', releaseMs: 10 * DAY_MS }));
  granted(state, createCommand({ id: 'short', releaseMs: 2 * HOUR_MS }));
  granted(state, createCommand({ id: 'endless' }));
  t.deepEqual(tick(state, HOUR_MS - 1), []);
  t.is(state.nextDueMs(), HOUR_MS);
  t.deepEqual(tick(state, HOUR_MS), ['claim.warn']);
  t.is(find(state, 'short').warnMs, HOUR_MS);
  t.deepEqual(tick(state, HOUR_MS + 1), []);
  run(state, extend('short', 12 * DAY_MS), HOUR_MS + 2);
  t.is(find(state, 'short').warnMs, undefined);
  t.deepEqual(tick(state, 9 * DAY_MS - 1), []);
  t.deepEqual(tick(state, 9 * DAY_MS), ['claim.warn']);
  t.deepEqual(tick(state, 10 * DAY_MS), ['claim.release']);
  t.is(find(state, 'long').end, 'expired');
  t.deepEqual(tick(state, 11 * DAY_MS), ['claim.warn']);
});

test('an extended claim does not end at its old end', (t) => {
  const state = stateWith(hosts(1));
  granted(state, createCommand({ id: 'a', releaseMs: HOUR_MS }));
  run(state, extend('a', 2 * HOUR_MS), MINUTE_MS);
  t.deepEqual(tick(state, HOUR_MS + MINUTE_MS), ['claim.warn']);
  t.is(stateOf(state, 'a', HOUR_MS + MINUTE_MS), 'active');
  t.deepEqual(tick(state, 2 * HOUR_MS), ['claim.release']);
});

test('a claim whose provider is closed soon before its begin is placed anew', (t) => {
  const state = stateWith(hosts(2));
  const begin = DAY_MS;
  granted(
    state,
    createCommand({ id: 'a', groups: cpus(3), acquireMs: begin, releaseMs: 2 * DAY_MS }),
  );
  const [before = ''] = providersOf(state, 'a');
  run(state, close(before), MINUTE_MS);
  t.deepEqual(tick(state, MINUTE_MS), [], 'much can happen until then');
  t.deepEqual(tick(state, begin - HOUR_MS), ['claim.replace']);
  const [after = ''] = providersOf(state, 'a');
  t.not(after, before);
  t.is(find(state, 'a').replacements, 1);
  t.is(stateOf(state, 'a', begin - HOUR_MS), 'pending');
  t.deepEqual(holdsOn(state, before), []);
  t.deepEqual(holdsOn(state, after), ['uid-a']);
  t.deepEqual([...state.claims.ofProvider(before)], []);
  t.deepEqual(state.quotas.uses('red', begin), [
    { resourceType: CPU, limit: undefined, used: 3, peak: 3 },
  ]);
});

test('without another place its risk is told, and taken back once it is cured', (t) => {
  const state = stateWith(hosts(1));
  granted(state, createCommand({ id: 'a', acquireMs: HOUR_MS }));
  run(state, close('p1'), MINUTE_MS);
  t.deepEqual(tick(state, MINUTE_MS), ['claim.risk']);
  t.is(stateOf(state, 'a', MINUTE_MS), 'at-risk');
  t.like(find(state, 'a').risk, { reason: 'PROVIDER_CLOSED', sinceMs: MINUTE_MS });
  t.deepEqual(tick(state, 5 * MINUTE_MS), [], 'it is written once');
  run(state, close('p1', false), 6 * MINUTE_MS);
  t.deepEqual(tick(state, 6 * MINUTE_MS), ['claim.cure']);
  t.is(stateOf(state, 'a', 6 * MINUTE_MS), 'pending');
  state.setFacts('p1', undefined);
  t.deepEqual(tick(state, 7 * MINUTE_MS), ['claim.risk']);
  t.is(find(state, 'a').risk?.reason, 'PROVIDER_GONE');
  state.setFacts('p1', factsOf({ uid: 'p1', offers: OFFERS }));
  t.deepEqual(tick(state, 9 * MINUTE_MS), ['claim.cure'], 'a look again finds it');
  t.is(stateOf(state, 'a', HOUR_MS), 'active');
});

test('a claim does not begin on a provider that was closed before', (t) => {
  const state = stateWith(hosts(1));
  granted(state, createCommand({ id: 'a', acquireMs: HOUR_MS }));
  run(state, close('p1'), MINUTE_MS);
  tick(state, MINUTE_MS);
  t.deepEqual(tick(state, 2 * HOUR_MS), []);
  t.is(stateOf(state, 'a', 2 * HOUR_MS), 'at-risk');
  run(state, close('p1', false), 3 * HOUR_MS);
  t.deepEqual(tick(state, 3 * HOUR_MS), ['claim.cure']);
  t.is(stateOf(state, 'a', 3 * HOUR_MS), 'active');
  run(state, close('p1'), 4 * HOUR_MS);
  t.deepEqual(tick(state, 5 * HOUR_MS), [], 'what has begun is left alone');
});

test('a claim that waits too long is at risk until it need not wait', (t) => {
  const state = stateWith(hosts(2));
  granted(state, createCommand({ id: 'x', groups: cpus(4), releaseMs: HOUR_MS }));
  granted(state, createCommand({ id: 'y', groups: cpus(4), releaseMs: 5 * HOUR_MS }));
  granted(state, createCommand({ id: 'a', groups: cpus(4), acquireMs: HOUR_MS }));
  t.deepEqual(tick(state, HOUR_MS), ['claim.release']);
  t.is(stateOf(state, 'a', HOUR_MS), 'waiting');
  t.deepEqual(tick(state, HOUR_MS + 14 * MINUTE_MS), []);
  const late = HOUR_MS + 15 * MINUTE_MS;
  t.deepEqual(tick(state, late), ['claim.risk']);
  t.is(find(state, 'a').risk?.reason, 'STILL_HELD');
  const [where = ''] = providersOf(state, 'x');
  run(state, finishRelease('x', where), late + MINUTE_MS);
  t.deepEqual(tick(state, late + MINUTE_MS), ['claim.cure']);
  t.is(stateOf(state, 'a', late + MINUTE_MS), 'active');
});

test('a claim that waits takes the first place that becomes free', (t) => {
  const state = stateWith(hosts(2));
  granted(state, createCommand({ id: 'x', groups: cpus(4), releaseMs: HOUR_MS }));
  granted(state, createCommand({ id: 'y', groups: cpus(4), releaseMs: 5 * HOUR_MS }));
  granted(state, createCommand({ id: 'a', groups: cpus(4), acquireMs: HOUR_MS }));
  tick(state, HOUR_MS + 15 * MINUTE_MS);
  t.is(stateOf(state, 'a', HOUR_MS + 15 * MINUTE_MS), 'at-risk');
  const [other = ''] = providersOf(state, 'y');
  const free = HOUR_MS + 20 * MINUTE_MS;
  run(state, beginRelease('y'), free);
  run(state, finishRelease('y', other), free);
  t.deepEqual(tick(state, free + 2 * MINUTE_MS), ['claim.replace']);
  t.deepEqual(providersOf(state, 'a'), [other]);
  t.is(stateOf(state, 'a', free + 2 * MINUTE_MS), 'active');
});

test('a claim that has begun stays where it is, whatever happens to its provider', (t) => {
  const state = stateWith(hosts(2));
  granted(state, createCommand({ id: 'a', groups: cpus(2) }));
  const before = providersOf(state, 'a');
  run(state, close(before[0] ?? ''), MINUTE_MS);
  t.deepEqual(tick(state, HOUR_MS), []);
  t.deepEqual(providersOf(state, 'a'), before);
});

test('while nobody knows the providers no claim is placed anew', (t) => {
  const state = stateWith(hosts(2));
  granted(state, createCommand({ id: 'a', acquireMs: HOUR_MS }));
  run(state, close(providersOf(state, 'a')[0] ?? ''), MINUTE_MS);
  t.deepEqual(tick(state, MINUTE_MS, false), []);
  t.deepEqual(tick(state, 3 * MINUTE_MS), ['claim.replace']);
});

test('a new leader sees what came due while nobody led', (t) => {
  const old = stateWith(hosts(1));
  granted(old, createCommand({ id: 'soon', acquireMs: 2 * HOUR_MS, groups: cpus(1) }));
  granted(old, createCommand({ id: 'x', groups: cpus(3), releaseMs: HOUR_MS }));
  granted(old, createCommand({ id: 'waits', groups: cpus(3), acquireMs: HOUR_MS }));
  run(old, close('p1'), 0);
  const nowMs = 90 * MINUTE_MS;
  const state = createPartitionState({
    partition: 'lab',
    claims: [...old.claims.all()],
    capacities: [old.capacity('p1') ?? []].flat(),
    facts: [factsOf({ uid: 'p1', offers: OFFERS })],
    nowMs,
  });
  t.deepEqual([...tick(state, nowMs)].sort(), ['claim.release', 'claim.risk', 'claim.risk']);
  t.is(find(state, 'soon').risk?.reason, 'PROVIDER_CLOSED');
  t.is(find(state, 'waits').risk?.reason, 'PROVIDER_CLOSED');
});

test('of many that come due at once a batch takes some', (t) => {
  const many = 200;
  const state = stateWith([{ uid: 'p1', offers: { [CPU]: many } }]);
  for (let at = 0; at < many; at += 1) {
    granted(state, createCommand({ id: `c${at}`, releaseMs: 2 * HOUR_MS }));
  }
  state.overdue(HOUR_MS, 1_000);
  const first = choresOf(state, HOUR_MS, true);
  t.is(first.length, 16);
  t.is(state.nextDueMs(), 0, 'the rest is due at once');
  for (const command of first) run(state, command, HOUR_MS);
  t.is(tick(state, HOUR_MS).length, many - first.length);
});

test('an end that cannot be written keeps no other waiting', (t) => {
  const state = stateWith(hosts(1));
  for (const id of ['a', 'b', 'c']) granted(state, createCommand({ id, releaseMs: HOUR_MS }));
  const uids = (nowMs: number) => state.overdue(nowMs, 2).map(({ uid }) => uid);
  const first = uids(HOUR_MS);
  t.is(first.length, 2);
  t.deepEqual(uids(HOUR_MS), first);
  for (const uid of first) state.setAside(uid, HOUR_MS);
  const [last = '', ...others] = uids(HOUR_MS);
  t.deepEqual(others, []);
  t.false(first.includes(last));
  t.is(stateOf(state, 'a', HOUR_MS), 'releasing');
  run(state, beginRelease(last, ''), HOUR_MS);
  t.deepEqual(uids(HOUR_MS), []);
  t.deepEqual(uids(HOUR_MS + CHORE_TIMES.againMs).toSorted(), first.toSorted());
});
