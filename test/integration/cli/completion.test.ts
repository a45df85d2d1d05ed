/** What bash offers while one types, where it is there. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';

const ENTRY = join(import.meta.dirname, '../../../services/cli/runm.mjs');

/** What bash offers at the end of a line, by the script that we print. */
const inBash = (...words: readonly string[]) =>
  spawnSync(
    'bash',
    [
      ...['--norc', '-c'],
      `runm() { "$NODE" "$ENTRY" "$@"; }
       source <(runm completion bash)
       COMP_WORDS=(runm "$@"); COMP_CWORD=$#; _runm; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ...['bash', ...words],
    ],
    {
      encoding: 'utf8',
      env: { ...process.env, NODE: process.execPath, ENTRY, RUNM_CACHE_DIR: '', HOME: '/nowhere' },
      timeout: 60_000,
    },
  );

test('bash completes nouns, verbs and words', (t) => {
  const first = inBash('pro');
  if (first.error !== undefined) {
    t.pass('there is no bash here');
    return;
  }
  t.deepEqual(first.stdout.trim().split('\n'), ['provider', 'project', 'profile'], first.stderr);
  t.is(inBash('provider', 'power', 'cy').stdout, 'cycle\n');
  t.is(inBash('lab', 'fault', 'r1u1', 'lo').stdout, 'lost-write\n');
  t.is(inBash('provider', 'list', '--so').stdout, '--sort\n');
});
