import test, { type ExecutionContext } from 'ava';
import { DomainError } from '../../../services/runtime/errors.ts';
import { claimState } from '../../../services/scheduler/domain/claim-state.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';
import {
  decodeCapacity,
  encodeCapacity,
} from '../../../services/scheduler/domain/record-format.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  factsOf,
  finishRelease,
  granted,
  groupOf,
  originOf,
  run,
  setCapacity,
  stateWith,
  WHOLE,
} from './builders.ts';

const HOST = { uid: 'p1', offers: { [CPU]: 4 } };
const cpus = (amount: number) => [groupOf({ [CPU]: amount })];

const refuses = (
  t: ExecutionContext,
  state: PartitionState,
  command: Command,
  expected: { readonly reason: string; readonly nowMs?: number },
): DomainError => {
  const moment = { nowMs: expected.nowMs ?? 0, logNumber: 1 };
  const error = t.throws(() => decide(state, command, moment), { instanceOf: DomainError });
  t.is(error?.reason, expected.reason);
  return error ?? new DomainError('internal', 'NONE', 'nothing was thrown');
};

const stateOf = (state: PartitionState, id: string, nowMs: number): string => {
  const claim = state.claims.findByName('red', id);
  if (claim === undefined) return 'gone';
  return claimState(claim, state.around, nowMs);
};

test('a claim takes what it asked for and says why the next finds no place', (t) => {
  const state = stateWith([HOST]);
  const claim = granted(state, createCommand({ id: 'a', groups: cpus(3) }));
  t.deepEqual(claim.providers, [
    { uid: 'p1', name: 'partitions/lab/providers/p1', finishMs: undefined },
  ]);
  const error = refuses(t, state, createCommand({ id: 'b', groups: cpus(2) }), {
    reason: 'NO_CAPACITY',
  });
  t.deepEqual(error.extras.removedBy, { [`${CPU} free`]: 1 });
});

test('the same request gives the same claim and another request under its id is refused', (t) => {
  const state = stateWith([HOST]);
  const command = createCommand({ id: 'a', requestId: 'r1' });
  const first = granted(state, command);
  t.is(granted(state, { ...command }, 5), first);
  const other = { ...command, origin: originOf('r1', { argumentHash: 'other' }) };
  refuses(t, state, other, { reason: 'REQUEST_ID_REUSED' });
  const stranger = { ...command, origin: originOf('r1', { caller: 'users/bob' }) };
  refuses(t, state, stranger, { reason: 'REQUEST_ID_REUSED' });
  refuses(t, state, beginRelease('a', 'r1'), { reason: 'REQUEST_ID_REUSED' });
});

test('a new leader knows the requests of the records it was given', (t) => {
  const before = stateWith([HOST]);
  const claim = granted(before, createCommand({ id: 'a', requestId: 'r1' }));
  const after = stateWith([HOST], { claims: [claim] });
  t.is(granted(after, createCommand({ id: 'a', requestId: 'r1' }), 9), claim);
  refuses(t, after, createCommand({ id: 'A', requestId: 'r2' }), { reason: 'ALREADY_EXISTS' });
});

test('a refusal is not remembered: the same request is decided again', (t) => {
  const state = stateWith([HOST]);
  granted(state, createCommand({ id: 'a', groups: cpus(4) }));
  const wanted = createCommand({ id: 'b', groups: cpus(4) });
  refuses(t, state, wanted, { reason: 'NO_CAPACITY' });
  run(state, beginRelease('a'));
  run(state, finishRelease('a', 'p1'));
  t.is(granted(state, wanted).claimId, 'b');
});

test('a window that ends before it begins is refused', (t) => {
  const state = stateWith([HOST]);
  const past = createCommand({ id: 'a', acquireMs: 0, releaseMs: 50 });
  refuses(t, state, past, { reason: 'WINDOW_INVALID', nowMs: 50 });
  const turned = createCommand({ id: 'a', acquireMs: 90, releaseMs: 80 });
  refuses(t, state, turned, { reason: 'WINDOW_INVALID', nowMs: 50 });
});

test('windows that do not meet share a provider', (t) => {
  const state = stateWith([HOST]);
  const wish = { groups: cpus(4) };
  granted(state, createCommand({ id: 'now', releaseMs: 10, ...wish }));
  granted(state, createCommand({ id: 'later', acquireMs: 20, releaseMs: 30, ...wish }));
  granted(state, createCommand({ id: 'between', acquireMs: 10, releaseMs: 20, ...wish }));
  const across = createCommand({ id: 'across', acquireMs: 29, releaseMs: 40, ...wish });
  refuses(t, state, across, { reason: 'NO_CAPACITY' });
});

test('only showing writes nothing', (t) => {
  const state = stateWith([HOST]);
  const command = createCommand({ id: 'a', validateOnly: true, groups: cpus(4) });
  t.is(run(state, command).kind, 'shown');
  t.is(state.claims.size(), 0);
  t.is(granted(state, createCommand({ id: 'b', groups: cpus(4) })).claimId, 'b');
});

test('releasing gives nothing back before every provider was finished', (t) => {
  const state = stateWith([HOST, { ...HOST, uid: 'p2' }]);
  granted(state, createCommand({ id: 'a', groups: cpus(4), count: 2 }));
  refuses(t, state, finishRelease('a', 'p1'), { reason: 'INVALID_STATE' });
  const releasing = granted(state, beginRelease('a'), 5);
  t.is(releasing.releaseBeginMs, 5);
  t.is(granted(state, beginRelease('a', 'again'), 9), releasing, 'repeating changes nothing');
  const wanted = createCommand({ id: 'b', groups: cpus(4) });
  refuses(t, state, wanted, { reason: 'NO_CAPACITY' });
  run(state, finishRelease('a', 'p2'), 10);
  t.is(stateOf(state, 'a', 10), 'releasing');
  t.is(granted(state, wanted, 10).providers[0]?.uid, 'p2');
  run(state, finishRelease('a', 'p1'), 11);
  t.is(stateOf(state, 'a', 11), 'released');
  refuses(t, state, finishRelease('a', 'p9'), { reason: 'NOT_FOUND', nowMs: 11 });
});

test('what is given back counts from the commit, what is taken from the decision', (t) => {
  const state = stateWith([HOST]);
  granted(state, createCommand({ id: 'a', groups: cpus(4) }));
  run(state, beginRelease('a'));
  const moment = { nowMs: 1, logNumber: 2 };
  const finishing = decide(state, finishRelease('a', 'p1'), moment);
  state.take(finishing, 1);
  const wanted = createCommand({ id: 'b', groups: cpus(4) });
  refuses(t, state, wanted, { reason: 'NO_CAPACITY' });
  state.settle(finishing, 1);
  const taking = decide(state, wanted, moment);
  state.take(taking, 1);
  refuses(t, state, createCommand({ id: 'c' }), { reason: 'NO_CAPACITY' });
});

test('the name of an ended claim is free again', (t) => {
  const state = stateWith([HOST]);
  const first = granted(state, createCommand({ id: 'a' }));
  run(state, beginRelease('a'));
  refuses(t, state, createCommand({ id: 'a', requestId: 'new' }), { reason: 'ALREADY_EXISTS' });
  run(state, finishRelease('a', 'p1'));
  const command = createCommand({ id: 'a', requestId: 'new' });
  const renamed =
    command.verb === 'create' ? { ...command, draft: { ...command.draft, uid: 'uid-2' } } : command;
  t.not(granted(state, renamed).uid, first.uid);
  t.is(state.claims.findByName('red', 'A')?.uid, 'uid-2');
});

test('a window that is over holds its provider until it is given back', (t) => {
  const state = stateWith([HOST]);
  granted(state, createCommand({ id: 'a', releaseMs: 10, groups: cpus(4) }));
  granted(state, createCommand({ id: 'next', acquireMs: 10, groups: cpus(4) }));
  t.is(stateOf(state, 'a', 10), 'releasing');
  t.is(stateOf(state, 'next', 9), 'pending');
  t.is(stateOf(state, 'next', 10), 'waiting');
  t.deepEqual(
    state.overdue(10, 1_000).map(({ claimId }) => claimId),
    ['a'],
  );
  run(state, beginRelease('a', ''), 12);
  t.is(state.claims.findByName('red', 'a')?.releaseBeginMs, 10, 'as of the end of its window');
  t.deepEqual(state.overdue(12, 1_000), []);
  run(state, finishRelease('a', 'p1'), 15);
  t.is(stateOf(state, 'next', 15), 'active');
});

test('a closed or unknown provider takes no claims until it is opened', (t) => {
  const state = stateWith([]);
  state.setFacts('p1', factsOf(HOST));
  refuses(t, state, createCommand({ id: 'a' }), { reason: 'NO_CAPACITY' });
  run(state, setCapacity('p1', { [CPU]: 4 }));
  granted(state, createCommand({ id: 'a' }));
  run(state, setCapacity('p1', { [CPU]: 4 }, { closed: true }));
  refuses(t, state, createCommand({ id: 'b' }), { reason: 'NO_CAPACITY' });
});

test('capacity below what is used at any instant is refused', (t) => {
  const state = stateWith([HOST]);
  granted(state, createCommand({ id: 'a', groups: cpus(1) }));
  granted(state, createCommand({ id: 'b', acquireMs: 90, groups: cpus(2) }));
  const error = refuses(t, state, setCapacity('p1', { [CPU]: 2 }, { generation: 2 }), {
    reason: 'IN_USE',
  });
  t.is(error.metadata.used, '3');
  run(state, setCapacity('p1', { [CPU]: 3 }, { generation: 2 }));
  refuses(t, state, createCommand({ id: 'c', acquireMs: 95 }), { reason: 'NO_CAPACITY' });
});

test('a capacity record stands until the watch reports its generation', (t) => {
  const state = stateWith([HOST]);
  run(state, setCapacity('p1', { [CPU]: 2 }, { generation: 2 }));
  state.setFacts('p1', factsOf({ ...HOST, offers: { [CPU]: 9 } }));
  const wanted = createCommand({ id: 'a', groups: cpus(3) });
  refuses(t, state, wanted, { reason: 'NO_CAPACITY' });
  state.setFacts('p1', factsOf({ ...HOST, offers: { [CPU]: 9 }, generation: 3 }));
  granted(state, wanted);
  refuses(t, state, setCapacity('p1', { [CPU]: 9 }, { generation: 1 }), {
    reason: 'ETAG_MISMATCH',
  });
});

test('a retry of an opening does not undo a later closing', (t) => {
  const state = stateWith([HOST]);
  const opening = setCapacity('p1', { [CPU]: 4 }, { requestId: 'open' });
  run(state, opening);
  run(state, setCapacity('p1', { [CPU]: 4 }, { closed: true, requestId: 'close' }));
  t.is(run(state, opening).kind, 'capacity');
  refuses(t, state, createCommand({ id: 'a' }), { reason: 'NO_CAPACITY' });
});

test('a late copy of an opening does not undo a later closing at the next leader', (t) => {
  let state = stateWith([{ ...HOST, closed: true }]);
  /** It knows what is stored, and no requests that it has not seen. */
  const nextLeader = (): void => {
    const [record] = [state.capacity('p1')].flatMap((one) => one ?? []);
    t.truthy(record);
    if (record === undefined) return;
    state = createPartitionState({
      partition: 'lab',
      claims: [],
      facts: [factsOf(HOST)],
      capacities: [decodeCapacity(encodeCapacity(record))],
      nowMs: 0,
    });
  };
  const change = (requestId: string, closed: boolean) =>
    setCapacity('p1', { [CPU]: 4 }, { closed, requestId });
  run(state, change('open', false));
  nextLeader();
  t.is(run(state, change('open', false)).kind, 'capacity', 'a retry of the newest');
  run(state, change('close', true));
  nextLeader();
  refuses(t, state, change('open', false), { reason: 'ETAG_MISMATCH' });
  refuses(t, state, createCommand({ id: 'a' }), { reason: 'NO_CAPACITY' });
  run(state, change('open again', false));
  nextLeader();
  refuses(t, state, change('close', true), { reason: 'ETAG_MISMATCH' });
  granted(state, createCommand({ id: 'a' }));
});

test('nothing is placed on a provider whose capacity is being committed', (t) => {
  const state = stateWith([HOST]);
  const growing = decide(state, setCapacity('p1', { [CPU]: 9 }, { generation: 2 }), {
    nowMs: 0,
    logNumber: 1,
  });
  state.take(growing, 0);
  state.setFacts('p1', factsOf(HOST));
  refuses(t, state, createCommand({ id: 'a' }), { reason: 'NO_CAPACITY' });
  state.settle(growing, 0);
  granted(state, createCommand({ id: 'a', groups: cpus(9) }));
});

test('a whole machine and slices keep each other out', (t) => {
  const metal = { uid: 'm1', offers: { [CPU]: 4, [WHOLE]: 1 } };
  const whole = [groupOf({ [WHOLE]: 1 })];
  const first = stateWith([metal]);
  granted(first, createCommand({ id: 'w', groups: whole }));
  refuses(t, first, createCommand({ id: 's' }), { reason: 'NO_CAPACITY' });
  run(first, setCapacity('m1', { [CPU]: 2, [WHOLE]: 1 }, { generation: 2 }));
  refuses(t, first, setCapacity('m1', { [CPU]: 2 }, { generation: 3 }), { reason: 'IN_USE' });
  const second = stateWith([metal]);
  granted(second, createCommand({ id: 's' }));
  refuses(t, second, createCommand({ id: 'w', groups: whole }), { reason: 'NO_CAPACITY' });
});

test('only an ended claim is forgotten, and its name and requests with it', (t) => {
  const state = stateWith([HOST]);
  const { uid } = granted(state, createCommand({ id: 'a', requestId: 'r1' }));
  const forget: Command = { verb: 'forget', origin: originOf(''), uid };
  refuses(t, state, forget, { reason: 'NOT_FOUND' });
  run(state, beginRelease('a'));
  run(state, finishRelease('a', 'p1'));
  t.is(run(state, forget).kind, 'forgotten');
  t.is(state.claims.size(), 0);
  t.is(state.answered('r1'), undefined);
});

test('the same capacity of the same generation is one change; another one is a new one', (t) => {
  const state = stateWith([HOST]);
  const entryOf = (command: Command) => {
    const decision = run(state, command);
    return 'entry' in decision ? decision.entry : undefined;
  };
  t.truthy(entryOf(setCapacity('p1', { [CPU]: 4 }, { generation: 2 })));
  t.is(entryOf(setCapacity('p1', { [CPU]: 4 }, { generation: 2 })), undefined);
  t.truthy(entryOf(setCapacity('p1', { [CPU]: 4 }, { generation: 2, closed: true })));
  t.truthy(entryOf(setCapacity('p1', { [CPU]: 5 }, { generation: 2, closed: true })));
  t.is(state.capacity('p1')?.version, 4);
  refuses(t, state, setCapacity('p1', { [CPU]: 9 }), { reason: 'ETAG_MISMATCH' });
});
