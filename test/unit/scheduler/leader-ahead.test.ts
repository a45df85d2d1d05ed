/** What a leader decides while a commit is on its way. */
import test from 'ava';
import { type Clock, nextTurn, systemClock } from '../../../services/runtime/clock.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import { claimKey } from '../../../services/scheduler/domain/keys.ts';
import { createLeader } from '../../../services/scheduler/work/leader.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import type { Compare, Transaction } from '../../../services/store/coordination/port.ts';
import { eventually } from '../../support/eventually.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { silentLog } from '../../support/silent-log.ts';
import { beginRelease, CPU, createCommand, finishRelease, stateWith } from './builders.ts';

/** On it no decision takes so long that the rest waits for the next commit. */
const clock: Clock = { ...systemClock, monotonicMs: () => 0 };

/** A leader of one provider with two processors, whose commits wait until they are let through. */
const heldLeader = () => {
  const random = seededRandom(1);
  const store = openEmbeddedCoordination({
    file: ':memory:',
    clock,
    random,
    log: silentLog,
  });
  const sent: Transaction[] = [];
  const held: (() => void)[] = [];
  const coordination: typeof store = {
    ...store,
    transact: async (transaction, signal) => {
      sent.push(transaction);
      await new Promise<void>((resolve) => void held.push(resolve));
      return store.transact(transaction, signal);
    },
  };
  const fence: Compare = { key: 'leader', target: 'version', equals: 0n };
  const over = new AbortController();
  const leader = createLeader(
    { clock, random, log: silentLog, coordination },
    {
      partition: 'lab',
      leadership: { key: 'leader', fence, signal: over.signal, resign: () => Promise.resolve() },
      head: undefined,
      limits: { queueMax: 100, backlogMax: 100 },
      makeState: () => stateWith([{ uid: 'host', offers: { [CPU]: 2 } }]),
      onCommitted: () => undefined,
      onCommitting: () => undefined,
      revisionOf: () => 1n,
      backlog: () => 0,
      share: (command) => command,
      cannotPlace: () => undefined,
    },
  );
  const running = leader.run();
  return {
    ask: (command: Command) => leader.submit(command, AbortSignal.timeout(60_000)),
    sent,
    untilSent: (count: number) => eventually(() => sent.length >= count),
    letThrough: () => held.shift()?.(),
    /** Somebody else leads from now on, as the store sees it. */
    depose: () =>
      store.transact(
        { compare: [], writes: [{ put: 'leader', value: Buffer.from('other') }] },
        AbortSignal.timeout(60_000),
      ),
    end: async () => {
      over.abort();
      for (const go of held.splice(0)) go();
      await running;
      await store.close();
    },
  };
};

const claimsIn = (transaction: Transaction | undefined): readonly string[] =>
  (transaction?.writes ?? []).flatMap((write) =>
    'put' in write && write.put.includes('/claims/') ? [write.put] : [],
  );
const one = createCommand({ id: 'one' });
const two = createCommand({ id: 'two' });
/** Refused while two claims have the processors. */
const more = (id: string): Command => createCommand({ id });
const isFull = (error: unknown): boolean => isDomainError(error, 'resource_exhausted');

test('what is asked while a commit is on its way is decided, and sent once that is known', async (t) => {
  const { ask, sent, untilSent, letThrough, end } = heldLeader();
  const first = ask(one);
  await untilSent(1);
  let isAnswered = false;
  const second = ask(two).then(() => {
    isAnswered = true;
  });
  t.true(isFull(await t.throwsAsync(ask(more('three')))), 'the first two have all there is');
  t.is(sent.length, 1);
  letThrough();
  await first;
  await untilSent(2);
  t.deepEqual(claimsIn(sent[1]), [claimKey('lab', 'uid-two')]);
  t.true(isFull(await t.throwsAsync(ask(more('four')))));
  t.false(isAnswered);
  letThrough();
  await second;
  await end();
});

test('what comes without a pause shares a commit', async (t) => {
  const { ask, sent, untilSent, letThrough, end } = heldLeader();
  const first = ask(one);
  await nextTurn();
  const second = ask(two);
  await untilSent(1);
  letThrough();
  await Promise.all([first, second]);
  t.is(claimsIn(sent[0]).length, 2);
  t.is(sent.length, 1);
  await end();
});

test('what is given back is free with its own commit, not with the one before', async (t) => {
  const { ask, untilSent, letThrough, end } = heldLeader();
  const asks = [one, two, beginRelease('one'), beginRelease('two')];
  for (const [at, command] of asks.entries()) {
    const answer = ask(command);
    await untilSent(at + 1);
    if (at === asks.length - 1) {
      const finished = ask(finishRelease('one', 'host'));
      t.true(isFull(await t.throwsAsync(ask(more('three')))), 'it is decided ahead');
      letThrough();
      await answer;
      await untilSent(asks.length + 1);
      t.true(isFull(await t.throwsAsync(ask(more('four')))), 'it is on its way');
      letThrough();
      await finished;
    } else {
      letThrough();
      await answer;
    }
  }
  const last = ask(more('five'));
  await untilSent(asks.length + 2);
  letThrough();
  await t.notThrowsAsync(last);
  await end();
});

test('what was decided ahead is dropped with the leadership', async (t) => {
  const { ask, sent, untilSent, letThrough, depose, end } = heldLeader();
  const first = ask(one);
  await untilSent(1);
  const second = ask(two);
  await t.throwsAsync(ask(more('three')));
  await depose();
  letThrough();
  for (const answer of [first, second]) {
    const error = await t.throwsAsync(answer);
    t.true(isDomainError(error, 'unavailable', 'NOT_LEADER'), error?.message);
  }
  t.is(sent.length, 1);
  await end();
});
