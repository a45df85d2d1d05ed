/** Programs that are started by hand say in a line what is wrong and what to type instead. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { temporaryDir } from '../../support/temporary-dir.ts';

const ROOT = join(import.meta.dirname, '../../..');

const refuses = test.macro(
  (t, program: string, args: readonly string[], said: RegExp, code: number) => {
    using dir = temporaryDir();
    const argv = [join(ROOT, program), ...args];
    const ended = spawnSync(process.execPath, argv, {
      ...{ cwd: dir.path, encoding: 'utf8', timeout: 60_000 },
    });
    t.is(ended.status, code, ended.stderr);
    t.regex(ended.stderr, said);
    t.notRegex(ended.stderr, /^ +at /m, 'nobody reads a stack for a slip of the finger');
    t.deepEqual(readdirSync(dir.path), [], 'nothing was begun');
  },
);

const LAB = 'deploy/lab/main.ts';
const FLEET = 'deploy/lab/fleet-main.ts';
const BENCH = 'test/bench/main.ts';
const BUNDLE = 'deploy/agent-bundle/build.ts';

test('a lab, wrong option', refuses, LAB, ['--rak', 'x'], /'--rak'[\s\S]*lab\/main.ts --help/, 1);
test('a lab, wrong number', refuses, LAB, ['--first-net', '0'], /1 to 254[\s\S]*--help/, 1);
test('a fleet, wrong fault', refuses, FLEET, ['--fault', 'x=1'], /hang=0.01[\s\S]*--help/, 1);
test('a bench, no name', refuses, BENCH, [], /missing\nusage: npm run bench/, 2);
test('a bench, wrong name', refuses, BENCH, ['nope'], /no bench "nope"\nusage: /, 2);
test('a bench, wrong row', refuses, BENCH, ['enrol', '--only', 'x'], /no row "x"; known: /, 1);
test('a bundle, no folder', refuses, BUNDLE, [], /usage: .* OUTPUT_DIR \[--fetch\]/, 2);
test('a bundle, wrong option', refuses, BUNDLE, ['--bogus'], /usage: .* OUTPUT_DIR/, 2);
