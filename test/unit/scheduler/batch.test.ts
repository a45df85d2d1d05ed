import test from 'ava';
import { isDomainError } from '../../../services/runtime/errors.ts';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import type { Command } from '../../../services/scheduler/domain/command.ts';
import {
  type Batch,
  closeDraft,
  fillDraft,
  openDraft,
} from '../../../services/scheduler/work/batch.ts';
import { type Pending, pend } from '../../../services/scheduler/work/pending.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  finishRelease,
  granted,
  groupOf,
  offersFrom,
  originOf,
  stateWith,
} from './builders.ts';

const signal = new AbortController().signal;

/** One batch of what waits; what is left waits on. */
const batchOf = (
  state: ReturnType<typeof stateWith>,
  commands: readonly Command[],
): {
  readonly batch: Batch;
  readonly left: readonly Pending[];
  readonly answers: Promise<unknown>[];
} => {
  const pended = commands.map((command) => pend(command, signal));
  const waiting = pended.map(({ pending }) => pending);
  const answers = pended.map(({ answer }) => answer);
  for (const answer of answers) answer.catch(() => undefined);
  const draft = openDraft();
  fillDraft(draft, {
    state,
    moment: { nowMs: 0, logNumber: 1 },
    own: [],
    queue: {
      shift: () => waiting.shift(),
      unshift: (pending) => waiting.unshift(pending),
      charge: () => undefined,
    },
    monotonicMs: () => 0,
    onRefused: () => undefined,
    refusal: (error) => error,
  });
  return { batch: closeDraft(draft), left: waiting, answers };
};

const hostWith = (claims: number) => {
  const state = stateWith([
    { uid: 'host', offers: { [CPU]: 100 } },
    { uid: 'device', offers: {} },
    { uid: 'spare', offers: { [CPU]: 100 } },
  ]);
  const groups = [groupOf({ [CPU]: 1 }, { providers: ['host'] })];
  for (let at = 0; at < claims; at += 1) granted(state, createCommand({ id: `c${at}`, groups }));
  return state;
};

const reshape: Command = {
  verb: 'reshape',
  origin: originOf('reshape'),
  providers: [
    { providerUid: 'host', generation: 2, offers: offersFrom({}) },
    { providerUid: 'device', generation: 2, offers: offersFrom({ [CPU]: 100 }) },
  ],
  moves: [{ fromUid: 'host', toUid: 'device', resourceType: CPU, claimUid: undefined }],
};

test('all records of a reshape are in one transaction', (t) => {
  const { batch, left } = batchOf(hostWith(60), [reshape]);
  t.is(left.length, 0);
  t.is(batch.writes.length, 62);
  t.is(batch.claims.length, 60);
  t.is(batch.capacities.length, 2);
  t.is(batch.entries.length, 62);
});

test('a reshape that does not fit beside others waits for the next transaction', (t) => {
  const state = hostWith(30);
  const groups = [groupOf({ [CPU]: 1 }, { providers: ['spare'] })];
  const others = Array.from({ length: 65 }, (_, at) => createCommand({ id: `n${at}`, groups }));
  const { batch, left } = batchOf(state, [...others, reshape, createCommand({ id: 'later' })]);
  t.is(batch.claims.length, 65);
  t.is(left.length, 2, 'and nobody overtakes it');
  t.is(state.capacity('device')?.generation, 1, 'nothing of it is taken');
});

test('a reshape of more records than a transaction holds is refused', async (t) => {
  const { batch, answers } = batchOf(hostWith(93), [reshape]);
  t.is(batch.writes.length, 0);
  const error = await t.throwsAsync(answers[0] ?? Promise.resolve());
  t.true(isDomainError(error, 'invalid_argument', 'INVALID_FIELD'));
});

/** Its record has so many bytes and some more. */
const heavy = (id: string, bytes: number): ClaimRecord => ({
  ...granted(stateWith([{ uid: 'host', offers: { [CPU]: 100 } }]), createCommand({ id })),
  properties: { note: { kind: 'string', value: 'x'.repeat(bytes) } },
});

test('a claim whose record has grown is given back, and none is made so large', async (t) => {
  const state = stateWith([{ uid: 'host', offers: { [CPU]: 100 } }], {
    claims: [heavy('large', 400_000)],
  });
  const made = createCommand({ id: 'new' });
  if (made.verb !== 'create') throw new Error('createCommand creates');
  const { properties } = heavy('new', 400_000);
  for (const command of [beginRelease('large'), finishRelease('large', 'host')]) {
    const { batch, left } = batchOf(state, [command]);
    t.is(left.length, 0);
    t.is(batch.writes.length, 1);
    for (const decision of batch.decisions) state.settle(decision, 0);
  }
  t.is(state.claims.findByName('red', 'large')?.providers[0]?.finishMs, 0);
  const { answers } = batchOf(state, [{ ...made, draft: { ...made.draft, properties } }]);
  const error = await t.throwsAsync(answers[0] ?? Promise.resolve());
  t.true(isDomainError(error, 'invalid_argument', 'INVALID_FIELD'), error?.message);
});
