import test, { type ExecutionContext } from 'ava';
import { DomainError } from '../../../services/runtime/errors.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import type { Hold } from '../../../services/scheduler/domain/hold.ts';
import type { PartitionState } from '../../../services/scheduler/domain/partition-state.ts';
import { conflictOf } from '../../../services/scheduler/domain/room.ts';
import { NO_TOPOLOGY } from '../../../services/scheduler/domain/topology.ts';
import {
  CPU,
  createCommand,
  factsOf,
  granted,
  groupOf,
  originOf,
  run,
  stateWith,
  WHOLE,
} from './builders.ts';

const cpus = (amount: number) => [groupOf({ [CPU]: amount })];
const whole = [groupOf({ [WHOLE]: 1 })];
const METAL = { uid: 'm1', offers: { [CPU]: 4, [WHOLE]: 1 } };

const holdOf = (amounts: Readonly<Record<string, number>>, fromMs: number, toMs: number): Hold => ({
  claimUid: 'other',
  amounts: new Map(Object.entries(amounts)),
  fromMs,
  toMs,
});

type Case = {
  readonly own: Readonly<Record<string, number>>;
  readonly others: readonly Hold[];
  /** What stands against it and from when; undefined = nothing. */
  readonly expected: readonly [string, number] | undefined;
};

const conflict = test.macro<[Case]>((t, { own, others, expected }) => {
  const found = conflictOf({ amounts: new Map(Object.entries(own)) }, others, {
    added: { fromMs: 10, toMs: 20 },
    usable: () => 4,
  });
  t.deepEqual(found && [found.resourceType, found.atMs], expected && [...expected]);
});

test('what ends when the added time begins is in nobody’s way', conflict, {
  own: { [CPU]: 4 },
  others: [holdOf({ [CPU]: 4 }, 0, 10), holdOf({ [CPU]: 4 }, 20, 30)],
  expected: undefined,
});
test('slices fit beside each other up to what is usable', conflict, {
  own: { [CPU]: 2 },
  others: [holdOf({ [CPU]: 2 }, 12, 14), holdOf({ [CPU]: 2 }, 14, 16)],
  expected: undefined,
});
test('the first instant at which it is too much is told', conflict, {
  own: { [CPU]: 2 },
  others: [holdOf({ [CPU]: 2 }, 11, 18), holdOf({ [CPU]: 1 }, 15, 16)],
  expected: [CPU, 15],
});
test('a slice is stopped by a whole machine', conflict, {
  own: { [CPU]: 1 },
  others: [holdOf({ [WHOLE]: 1 }, 17, Infinity)],
  expected: [WHOLE, 17],
});
test('a whole machine is stopped by any slice', conflict, {
  own: { [WHOLE]: 1 },
  others: [holdOf({ [CPU]: 1 }, 13, 14), holdOf({ [CPU]: 1 }, 12, 13)],
  expected: [WHOLE, 12],
});

const extend = (id: string, releaseMs: number | undefined): Command => ({
  verb: 'extend',
  origin: originOf(''),
  ref: { project: 'red', claim: id },
  precondition: () => undefined,
  releaseMs,
});

const stuck = (t: ExecutionContext, state: PartitionState, command: Command): DomainError => {
  const error = t.throws(() => decide(state, command, { nowMs: 0, logNumber: 1 }), {
    instanceOf: DomainError,
  });
  t.is(error?.reason, 'NOT_EXTENDABLE', error?.message);
  return error ?? new DomainError('internal', 'NONE', 'nothing was thrown');
};

test('a whole machine needs its turnaround before whoever is next', (t) => {
  const state = stateWith([METAL]);
  state.providers.setTopology({ ...NO_TOPOLOGY, turnaroundMs: new Map([['vm-host', 30]]) });
  granted(state, createCommand({ id: 'a', groups: whole, releaseMs: 50 }));
  granted(state, createCommand({ id: 'b', groups: whole, acquireMs: 100 }));
  t.is(stuck(t, state, extend('a', 71)).metadata.until, new Date(70).toISOString());
  run(state, extend('a', 70));
  stuck(t, state, extend('a', 71));
});

test('a slice needs no turnaround', (t) => {
  const state = stateWith([METAL]);
  state.providers.setTopology({ ...NO_TOPOLOGY, turnaroundMs: new Map([['vm-host', 30]]) });
  granted(state, createCommand({ id: 'a', groups: cpus(3), releaseMs: 50 }));
  granted(state, createCommand({ id: 'b', groups: cpus(3), acquireMs: 100 }));
  run(state, extend('a', 100));
  stuck(t, state, extend('a', undefined));
});

test('what is held elsewhere in the tree counts', (t) => {
  const state = stateWith([METAL, { uid: 'gpu', offers: { [CPU]: 2 } }]);
  state.setFacts('gpu', { ...factsOf({ uid: 'gpu', offers: { [CPU]: 2 } }), parentUid: 'm1' });
  const onGpu = [groupOf({ [CPU]: 1 }, { providers: ['gpu'] })];
  granted(state, createCommand({ id: 'a', groups: whole, releaseMs: 50 }));
  granted(state, createCommand({ id: 'b', groups: onGpu, acquireMs: 100, releaseMs: 150 }));
  granted(state, createCommand({ id: 'c', groups: whole, acquireMs: 200 }));
  run(state, extend('a', 100));
  stuck(t, state, extend('a', 101));
  run(state, extend('b', 200));
  stuck(t, state, extend('b', 201));
});
