import test from 'ava';
import { createFairQueue } from '../../../services/scheduler/work/fair-queue.ts';
import { type Pending, pend } from '../../../services/scheduler/work/pending.ts';
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
  const queue = createFairQueue();
  for (let at = 0; at < 1_000; at += 1) queue.push(asked('ada', `c${at}`));
  for (let at = 0; at < 1_000; at += 1) t.is(idOf(queue.shift()), `c${at}`);
  t.is(queue.shift(), undefined);
  t.is(queue.size(), 0);
});

test('whoever asks for slow decisions waits for himself', (t) => {
  const queue = createFairQueue();
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
  const queue = createFairQueue();
  const slow = asked('mallory', 'slow');
  queue.push(slow);
  queue.charge(queue.shift() ?? slow, 100);
  queue.push(asked('mallory', 'again'));
  queue.push(asked('ada', 'quick'));
  t.is(idOf(queue.shift()), 'quick');
  t.is(idOf(queue.shift()), 'again');
});

test('what was put back comes first for its caller, and all can be taken at once', (t) => {
  const queue = createFairQueue();
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
