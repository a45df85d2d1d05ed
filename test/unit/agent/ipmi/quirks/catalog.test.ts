import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { QUIRKS } from '../../../../../services/agent/drivers/ipmi/quirks/catalog.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
const FOLDER = join(ROOT, 'services/agent/drivers/ipmi/quirks');

test('each quirk has a source, a file and a test of its name', (t) => {
  const files = readdirSync(FOLDER);
  const tests = readdirSync(import.meta.dirname);
  for (const { name, source } of QUIRKS) {
    t.regex(source, /^https:\/\/\S+$/, name);
    t.true(files.includes(`${name}.ts`), name);
    t.true(tests.includes(`${name}.test.ts`), name);
  }
  t.is(files.length, QUIRKS.length + 1);
});
