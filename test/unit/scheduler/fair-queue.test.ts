import { Session } from 'node:inspector/promises';
import test from 'ava';
import { createFairQueue } from '../../../services/scheduler/work/fair-queue.ts';
import { type Pending, pend } from '../../../services/scheduler/work/pending.ts';
import { eventually } from '../../support/eventually.ts';
import { createCommand } from './builders.ts';

const asked = (principal: string, id: string): Pending => {
  const command = createCommand({ id });
  const origin = { ...command.origin, principal };
  const { pending, answer } = pend({ ...command, origin }, new AbortController().signal);
  answer.catch(() => undefined);
  return pending;
};

const idOf = (pending: Pending | undefined): string =>
  pending?.command.verb === 'create' ? pending.command.draft.claimId : 'nothing';

test('one caller is served in order', (t) => {
  const queue = createFairQueue(() => 0);
  for (let at = 0; at < 1_000; at += 1) queue.push(asked('ada', `c${at}`));
  for (let at = 0; at < 1_000; at += 1) t.is(idOf(queue.shift()), `c${at}`);
  t.is(queue.shift(), undefined);
  t.is(queue.size(), 0);
});

test('whoever asks for slow decisions waits for himself', (t) => {
  const queue = createFairQueue(() => 0);
  for (let at = 0; at < 10; at += 1) queue.push(asked('mallory', `slow${at}`));
  for (let at = 0; at < 30; at += 1) queue.push(asked('ada', `quick${at}`));
  const served: string[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    served.push(idOf(next));
    queue.charge(next, idOf(next).startsWith('slow') ? 50 : 0.05);
  }
  t.is(served.length, 40);
  const slowBefore = served.slice(0, 31).filter((id) => id.startsWith('slow'));
  t.is(slowBefore.length, 1, 'after the first slow one all quick ones come first');
});

test('a debt is remembered when its caller comes again', (t) => {
  const queue = createFairQueue(() => 0);
  const slow = asked('mallory', 'slow');
  queue.push(slow);
  queue.charge(queue.shift() ?? slow, 100);
  queue.push(asked('mallory', 'again'));
  queue.push(asked('ada', 'quick'));
  t.is(idOf(queue.shift()), 'quick');
  t.is(idOf(queue.shift()), 'again');
});

test('a debt ages while its caller asks for nothing', (t) => {
  let nowMs = 0;
  const queue = createFairQueue(() => nowMs);
  const slow = asked('mallory', 'slow');
  /** Mallory comes again after so long, and another a little later: who is served first? */
  const firstAfter = (ms: number, other: string): string => {
    queue.push(slow);
    queue.push(asked('ada', 'kept busy'));
    queue.charge(queue.shift() ?? slow, 100);
    queue.shift();
    nowMs += ms;
    queue.push(asked('mallory', 'again'));
    queue.push(asked(other, other));
    const first = idOf(queue.shift());
    while (queue.shift() !== undefined);
    return first;
  };
  t.is(firstAfter(90, 'bob'), 'bob');
  t.is(firstAfter(100, 'eve'), 'again');
});

test('once nothing waits nobody owes', (t) => {
  const queue = createFairQueue(() => 0);
  const slow = asked('mallory', 'slow');
  queue.push(slow);
  queue.charge(queue.shift() ?? slow, 100);
  t.is(queue.shift(), undefined);
  queue.push(asked('mallory', 'again'));
  queue.push(asked('ada', 'quick'));
  t.is(idOf(queue.shift()), 'again');
});

test('whoever was served alone owes little when another comes', (t) => {
  const queue = createFairQueue(() => 0);
  for (let at = 0; at < 2_000; at += 1) queue.push(asked('mallory', `slow${at}`));
  for (let at = 0; at < 1_000; at += 1) {
    const next = queue.shift();
    if (next !== undefined) queue.charge(next, 100);
  }
  for (let at = 0; at < 1_000; at += 1) queue.push(asked('ada', `slow-too${at}`));
  let served = 0;
  for (; served < 30; served += 1) {
    const next = queue.shift();
    if (next === undefined || idOf(next).startsWith('slow-too') === false) break;
    queue.charge(next, 100);
  }
  t.true(served <= 12, `${served} were served before`);
});

test('among many who are all deep in debt the next is found without a round for each turn', (t) => {
  let looks = 0;
  const queue = createFairQueue(() => 0);
  const callers = Array.from({ length: 200 }, (_, at) => `user${at}`);
  for (const name of callers) for (let at = 0; at < 6; at += 1) queue.push(asked(name, name));
  const before = process.threadCpuUsage();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    queue.charge(next, 200);
    looks += 1;
  }
  t.is(looks, 1_200);
  // Of a processor: what else runs on the machine has no part in it.
  const { user, system } = process.threadCpuUsage(before);
  t.true(user + system < 2_000_000, `took ${user + system} µs`);
});

test('nobody fills the queue: there is room for as many as one has already', (t) => {
  const queue = createFairQueue(() => 0);
  const most = 64;
  const fill = (name: string): number => {
    let count = 0;
    for (; count < most; count += 1) {
      const next = asked(name, `c${count}`);
      if (queue.waitingOf(next.command) >= most - queue.size()) break;
      queue.push(next);
    }
    return count;
  };
  t.deepEqual(['mallory', 'ada', 'bob'].map(fill), [32, 16, 8]);
});

test('what was put back comes first for its caller, and all can be taken at once', (t) => {
  const queue = createFairQueue(() => 0);
  queue.push(asked('ada', 'a'));
  queue.push(asked('ada', 'b'));
  const first = queue.shift();
  if (first === undefined) return t.fail();
  queue.unshift(first);
  t.is(idOf(queue.shift()), 'a');
  queue.push(asked('bob', 'c'));
  t.deepEqual(queue.takeAll().map(idOf).sort(), ['b', 'c']);
  t.is(queue.size(), 0);
  t.is(queue.shift(), undefined);
});

test('nothing is kept of who was served', async (t) => {
  const queue = createFairQueue(() => 0);
  const serve = (id: string): WeakRef<Pending> => {
    queue.push(asked('ada', id));
    const served = queue.shift();
    // It is found empty, as by the end of a batch.
    t.is(queue.shift(), undefined);
    if (served === undefined) throw new Error('nobody waited');
    return new WeakRef(served);
  };
  const served = ['first', 'second', 'third'].map(serve);
  const session = new Session();
  session.connect();
  // Of who still waits nothing is lost, and a weak reference holds until its turn is over.
  queue.push(asked('ada', 'waits'));
  await eventually(
    async () => {
      await session.post('HeapProfiler.collectGarbage');
      return served.every((one) => one.deref() === undefined);
    },
    { message: 'those who were served are gone' },
  );
  session.disconnect();
  t.is(idOf(queue.shift()), 'waits');
});
