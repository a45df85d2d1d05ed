import test from 'ava';
import { proposedIn } from '../../../services/cli/proposed.ts';

const RED = ['--project red'];

test('a command that is proposed is for the project in which somebody works', (t) => {
  t.is(
    proposedIn(RED, 'next: runm claim release web'),
    'next: runm claim release web --project red',
  );
  t.is(
    proposedIn(RED, "            runm claim windows --distance 'n<=a from group:r'"),
    "            runm claim windows --distance 'n<=a from group:r' --project red",
  );
  t.is(proposedIn([], 'next: runm claim list'), 'next: runm claim list');
});

test('what is no command alone stays as it is', (t) => {
  for (const remark of [
    'runm: there is no claim "web"',
    '      next: runm project list; then --project ID',
    '      next: runm claim list, or another --project than red',
    'created web',
  ]) {
    t.is(proposedIn(RED, remark), remark);
  }
});
