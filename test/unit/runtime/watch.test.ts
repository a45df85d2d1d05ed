import test from 'ava';
import { type WatchChange, watchResponses } from '../../../services/runtime/watch.ts';

type Row = { readonly uid: string; readonly name: string };

const events = {
  created: ({ name }: Row) => `+${name}`,
  updated: ({ name }: Row) => `~${name}`,
  deleted: ({ uid, name, leftView }: { uid: string; name: string; leftView: boolean }) =>
    `-${uid}/${name}${leftView ? ' left' : ''}`,
  synced: () => 'synced',
  bookmark: () => 'bookmark',
};

const row = (uid: string): Row => ({ uid, name: `name-${uid}` });
const change = (uid: string, more: Partial<WatchChange> = {}): WatchChange => ({
  uid,
  deleted: false,
  ...more,
});

type Script = {
  readonly resumeToken?: string;
  readonly pages?: readonly (readonly Row[])[];
  readonly batches: readonly { readonly changes: readonly WatchChange[]; readonly token: string }[];
  readonly exists: readonly string[];
  readonly concerns?: (change: WatchChange) => boolean;
};

const play = async (script: Script) => {
  const asked: string[] = [];
  const responses = watchResponses({
    resumeToken: script.resumeToken ?? '',
    signal: new AbortController().signal,
    head: async () => 'head',
    present: async function* () {
      yield* script.pages ?? [];
    },
    follow: async function* (token) {
      asked.push(token);
      yield* script.batches;
    },
    load: async (uids) => uids.filter((uid) => script.exists.includes(uid)).map(row),
    identify: (one: Row) => one,
    events,
    ...(script.concerns && { concerns: script.concerns }),
  });
  const told: [string, string][] = [];
  for await (const { events: list, resumeToken } of responses) {
    told.push([list.join(' '), resumeToken]);
  }
  return { told, asked };
};

test('the present set comes first, then synced, then changes, and only then can be resumed', async (t) => {
  const { told, asked } = await play({
    pages: [[row('a'), row('b')], [], [row('c')]],
    batches: [{ changes: [change('a'), change('d')], token: 't1' }],
    exists: ['a', 'd'],
  });
  t.deepEqual(told, [
    ['+name-a +name-b', ''],
    ['+name-c', ''],
    ['synced', 'head'],
    ['~name-a +name-d', 't1'],
  ]);
  t.deepEqual(asked, ['head']);
});

test('with a token only what came since is told', async (t) => {
  const { told, asked } = await play({
    resumeToken: 'old',
    batches: [{ changes: [change('a'), change('b', { deleted: true })], token: 't1' }],
    exists: ['a'],
  });
  t.deepEqual(told, [['~name-a -b/', 't1']]);
  t.deepEqual(asked, ['old']);
});

test('deleted, out of view and never seen are told apart', async (t) => {
  const { told } = await play({
    pages: [[row('gone'), row('moved')]],
    batches: [
      {
        changes: [change('gone', { deleted: true }), change('moved'), change('foreign')],
        token: 't1',
      },
    ],
    exists: [],
  });
  t.deepEqual(told.at(-1), ['-gone/name-gone -moved/name-moved left', 't1']);
});

test('many changes of one object are one event', async (t) => {
  const { told } = await play({
    batches: [{ changes: [change('a'), change('a'), change('a')], token: 't1' }],
    exists: ['a'],
  });
  t.deepEqual(told.at(-1), ['+name-a', 't1']);
});

test('an idle feed gives bookmarks, foreign changes only move the token', async (t) => {
  const { told } = await play({
    resumeToken: 'old',
    batches: [
      { changes: [], token: 't1' },
      { changes: [change('x', { projectUid: 'blue' })], token: 't2' },
    ],
    exists: ['x'],
    concerns: ({ projectUid }) => projectUid === 'red',
  });
  t.deepEqual(told, [
    ['bookmark', 't1'],
    ['', 't2'],
  ]);
});
