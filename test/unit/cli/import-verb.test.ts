/** How an import ends that has nothing to do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { importProviders } from '../../../services/cli/commands/provider/import.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { callCommand } from './call-command.ts';

test('a heading that is wrong is told alone: nothing was begun that could go on', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'fleet.csv');
  writeFileSync(file, 'nmae,type\na,metal\n');
  const called = await callCommand(importProviders, ['-f', file]);
  t.is(called.code, 2);
  t.regex(called.stderr, /line 1: there is no column "nmae"\n +did you mean "name"/);
  t.notRegex(called.stderr, /from-line|created/);
});

test('a file without items, or that is not there, says so', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'fleet.csv');
  writeFileSync(file, 'name,type\n');
  const empty = await callCommand(importProviders, ['-f', file]);
  t.is(empty.code, 0);
  t.regex(empty.stderr, /fleet\.csv holds nothing to import/);
  const absent = await callCommand(importProviders, ['-f', join(dir.path, 'none.csv')]);
  t.is(absent.code, 2);
  t.regex(absent.stderr, /none\.csv: there is no such file/);
});
