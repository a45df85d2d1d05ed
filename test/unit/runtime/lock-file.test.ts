import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { DomainError } from '../../../services/runtime/errors.ts';
import { lockHolder, lockStateDir } from '../../../services/runtime/lock-file.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

test('a second process is told who holds the directory', (t) => {
  using dir = temporaryDir();
  const lock = lockStateDir(dir.path, 'https://127.0.0.1:7443');
  const error = t.throws(() => lockStateDir(dir.path, 'me too'), { instanceOf: DomainError });
  t.is(error.reason, 'BUSY');
  t.regex(error.message, new RegExp(`process ${process.pid} \\(https://127.0.0.1:7443\\)`));
  lock.describe('moved');
  t.is(lockHolder(dir.path)?.note, 'moved');
  lock.release();
  t.is(lockHolder(dir.path), undefined);
  lockStateDir(dir.path, 'now me').release();
});

test('a holder that was killed leaves the directory free', async (t) => {
  using dir = temporaryDir();
  const script = `
    import { lockStateDir } from '${import.meta.resolve('../../../services/runtime/lock-file.ts')}';
    lockStateDir(${JSON.stringify(dir.path)}, 'the first');
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  t.is(lockHolder(dir.path)?.pid, child.pid);
  t.throws(() => lockStateDir(dir.path, 'second'), { message: /the first/ });
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.is(lockHolder(dir.path), undefined);
  lockStateDir(dir.path, 'second').release();
});

test('a pid that is used again is not taken for the holder', (t) => {
  using dir = temporaryDir();
  const holder = { pid: process.pid, startTime: 'another time', note: 'gone' };
  writeFileSync(join(dir.path, 'process.json'), JSON.stringify(holder));
  t.is(lockHolder(dir.path), undefined);
  writeFileSync(join(dir.path, 'process.json'), 'garbage');
  t.is(lockHolder(dir.path), undefined);
});

test('a directory that cannot be locked is not told as held by somebody', (t) => {
  using dir = temporaryDir();
  writeFileSync(join(dir.path, 'process.lock'), 'no database at all'.repeat(100));
  const error = t.throws(() => lockStateDir(dir.path, 'me'), { instanceOf: DomainError });
  t.is(error.kind, 'failed_precondition');
  t.regex(error.message, /process\.lock cannot be locked: file is not a database/);
});
