import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  allowedStates,
  mayFollow,
  next,
  STABLE,
  STATES,
  TARGET,
  TRANSITIONS,
} from '../../../services/machine/domain/lifecycle.ts';
import { PREEMPTS } from '../../../services/machine/domain/preemption.ts';

/** Tables without the padding that a formatter gives them. */
const README = readFileSync(
  join(import.meta.dirname, '../../../services/machine/README.md'),
  'utf8',
)
  // Providers have a life of their own.
  .replace(/\n## Providers[\s\S]*?(?=\n## )/, '')
  .replaceAll(/ +\| ?/g, ' | ')
  .replaceAll(/ \| $/gm, ' |');

test('the picture in the README has the edges of the table and no others', (t) => {
  const drawn = [...README.matchAll(/^ {2}(\w+) --> (\w+): (\w+)$/gm)].map(
    ([, from, to, event]) => `${from} ${event} ${to}`,
  );
  const table = Object.entries(TRANSITIONS).flatMap(([from, edges]) =>
    Object.entries(edges).map(([event, to]) => `${from} ${event} ${to}`),
  );
  t.deepEqual(drawn.toSorted(), table.toSorted());
});

test('the README has a sentence for every state', (t) => {
  const described = [...README.matchAll(/^\| (\w+) \| [^|]+ \| [^|]+ \|$/gm)].map(
    ([, name]) => name,
  );
  for (const state of STATES) t.true(described.includes(state), state);
});

test('the README shows who takes over whom', (t) => {
  for (const [verb, running] of Object.entries(PREEMPTS)) {
    const row = `| ${verb} | ${running.length === 0 ? '–' : running.join(', ')} |`;
    t.true(README.includes(row), row);
  }
});

test('every state but gone can be left, and every transient one leads somewhere', (t) => {
  for (const state of STATES) {
    const edges = Object.keys(TRANSITIONS[state]);
    t.is(edges.length > 0, state !== 'gone', state);
    t.is(TARGET[state] === undefined, STABLE.has(state), state);
  }
});

test('from every state a machine can be deleted, and deletion ends', (t) => {
  const undeletable = STATES.filter((state) => !mayFollow(state, 'delete'));
  t.deepEqual(undeletable, ['releasing', 'gone']);
  t.is(next('releasing', 'released'), 'gone');
});

test('an edge that is not drawn is a bug', (t) => {
  t.throws(() => next('gone', 'start'), { message: /"gone" cannot take the event "start"/ });
  t.deepEqual(allowedStates('pause'), ['active']);
});
