import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { createLog, setLogLevel } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const collected = () => {
  const lines: string[] = [];
  const log = createLog({
    name: 'test',
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  });
  return { lines, log };
};

test('values under names of secrets are not written', (t) => {
  const { lines, log } = collected();
  log.info(
    { token: 's3cret', user: { password: 's3cret' }, headers: { authorization: 'Bearer s3cret' } },
    'told',
  );
  log.info({ request: { join: { joinToken: 's3cret' } } }, 'told');
  t.is(lines.length, 2);
  t.notRegex(lines.join(''), /s3cret/);
});

test('the level can be changed while the process runs', (t) => {
  const { lines, log } = collected();
  log.debug('hidden');
  t.true(setLogLevel(log, 'debug'));
  log.debug('shown');
  t.false(setLogLevel(log, 'loud'));
  t.is(lines.length, 1);
});

test('a log file is set aside when it has grown, and only a few are kept', (t) => {
  using dir = temporaryDir();
  const file = openLogFile({ file: join(dir.path, 'logs', 'runm.log'), bytesMax: 100, keep: 2 });
  for (let at = 0; at < 10; at += 1) file.write(`line ${at} ${'x'.repeat(60)}\n`);
  file.flush();
  const names = readdirSync(join(dir.path, 'logs')).sort();
  t.deepEqual(names, ['runm.log', 'runm.log.1', 'runm.log.2']);
  t.regex(readFileSync(join(dir.path, 'logs', 'runm.log'), 'utf8'), /line 9/);
});
