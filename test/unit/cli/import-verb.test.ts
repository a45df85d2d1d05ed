/** How an import ends that has nothing to do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  ProviderService,
  UpsertOutcome,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { diff, importProviders } from '../../../services/cli/commands/provider/import.ts';
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

test('a difference is shown and nothing is written', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'fleet.csv');
  writeFileSync(file, 'name,type\nr1,metal\n');
  const written: boolean[] = [];
  const called = await callCommand(diff, ['-f', file], (router) => {
    router.service(ProviderService, {
      batchUpsertProviders: ({ items, validateOnly }) => {
        written.push(!validateOnly);
        const name = `partitions/lab/providers/${items[0]?.providerId}`;
        return { results: [{ name, outcome: UpsertOutcome.CREATED }] };
      },
    });
  });
  t.is(called.code, 0, called.stderr);
  t.deepEqual(written, [false]);
  t.regex(called.stderr, /1 would be created/);
  t.is((await callCommand(diff, ['-f', file, '--dry-run'])).code, 2);
});
