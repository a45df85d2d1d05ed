import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  administratorOf,
  ensureCredentials,
  withCredentials,
} from '../../../deploy/lab/credentials.ts';
import { newServerState } from '../../../deploy/lab/server-state.ts';
import { createFileStore } from '../../../deploy/lab/state-file.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const setUp = (directory: string) => {
  const file = join(directory, 'credentials.json');
  const first = ensureCredentials(file, systemRandom);
  const store = () => withCredentials(createFileStore(join(directory, 'state.json')), file);
  const stateWith = (password: string, enabled = true) =>
    newServerState([
      { ...administratorOf({ user: 'admin', password }), enabled },
      { ...administratorOf({ user: 'other', password: 'another' }), slot: 3 },
    ]);
  const kept = (): unknown => JSON.parse(readFileSync(file, 'utf8'));
  return { file, first, store, stateWith, kept };
};

test('the file follows a password that is changed at the controller', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { file, first, store, stateWith, kept } = setUp(dir.path);
  const open = store();
  open.save(stateWith(first.password));
  t.deepEqual(kept(), first);
  open.save(stateWith('rotated'));
  t.deepEqual(kept(), { user: 'admin', password: 'rotated' });
  t.is(statSync(file).mode & 0o777, 0o600);
  t.deepEqual(ensureCredentials(file, systemRandom), { user: 'admin', password: 'rotated' });
  open.save(stateWith('nobody knows it', false));
  t.deepEqual(kept(), { user: 'admin', password: 'rotated' }, 'one that is locked lets nobody in');
});

test('a lab that was killed before it wrote the file does so at its next start', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { file, first, store, stateWith, kept } = setUp(dir.path);
  store().save(stateWith('rotated'));
  writeFileSync(file, JSON.stringify(first));
  store().load();
  t.deepEqual(kept(), { user: 'admin', password: 'rotated' });
});
