import { join } from 'node:path';
import test from 'ava';
import { NEW_GUEST, openJournal } from '../../../services/agent/journal.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const texts = (reports: readonly { bytes: Uint8Array }[]): string[] =>
  reports.map((report) => Buffer.from(report.bytes).toString());
const uid = '01890000-0000-7000-8000-000000000001';
const assignment = (incarnation: bigint, generation: bigint) => ({
  uid,
  incarnation,
  generation,
  digest: bytes('d'),
  bytes: bytes(`${incarnation}/${generation}`),
});

test('an older or equal assignment never replaces a newer one', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const journal = openJournal(join(dir.path, 'journal.sqlite'), systemRandom);
  t.true(journal.hold(assignment(1n, 5n)));
  t.false(journal.hold(assignment(1n, 5n)));
  t.false(journal.hold(assignment(1n, 4n)));
  t.true(journal.hold(assignment(2n, 1n)), 'a restore raises the incarnation');
  t.deepEqual(texts(journal.held()), ['2/1']);
  journal.close();
});

test('reports are kept in order until they are acknowledged, also over a restart', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const file = join(dir.path, 'journal.sqlite');
  const first = openJournal(file, systemRandom);
  for (const text of ['a', 'b', 'c']) first.report(() => bytes(text));
  first.acknowledge(1n);
  const { journalId } = first;
  first.close();
  const second = openJournal(file, systemRandom);
  t.is(second.journalId, journalId);
  t.deepEqual(texts(second.reportsAfter(0n, 10)), ['b', 'c']);
  second.acknowledge(3n);
  t.deepEqual(second.reportsAfter(0n, 10), []);
  t.is(
    second.report(() => bytes('d')),
    4n,
    'a sequence number is never given twice',
  );
  t.is(second.lastSequence(), 4n);
  second.close();
});

test('a newer view of a guest replaces the one that was not sent yet', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const journal = openJournal(join(dir.path, 'journal.sqlite'), systemRandom);
  journal.report(() => bytes('view 1'), 'guest');
  journal.report(() => bytes('event'));
  journal.report(() => bytes('view 2'), 'guest');
  t.deepEqual(texts(journal.reportsAfter(0n, 10)), ['event', 'view 2']);
  journal.close();
});

test('what is gone is forgotten only when nothing about it waits', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const journal = openJournal(join(dir.path, 'journal.sqlite'), systemRandom);
  journal.hold(assignment(1n, 1n));
  journal.saveGuest(uid, { ...NEW_GUEST, bootCount: 2 });
  const sequence = journal.report(() => bytes('gone'), 'guest');
  t.true(journal.isPending('guest'));
  journal.acknowledge(sequence);
  t.false(journal.isPending('guest'));
  journal.forget(uid);
  t.deepEqual([journal.held(), journal.guest(uid)], [[], NEW_GUEST]);
  journal.close();
});

test('a command is begun once', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const journal = openJournal(join(dir.path, 'journal.sqlite'), systemRandom);
  t.true(journal.beginCommand('one'));
  t.false(journal.beginCommand('one'));
  t.true(journal.beginCommand('two'));
  journal.close();
});

test('what is known of a guest survives a restart', (t) => {
  using dir = temporaryDir({ inMemory: true });
  const file = join(dir.path, 'journal.sqlite');
  const record = { ...NEW_GUEST, bootCount: 3, bootGeneration: 2n, bootId: 'x', guestOff: true };
  const first = openJournal(file, systemRandom);
  t.deepEqual(first.guest(uid), NEW_GUEST);
  first.saveGuest(uid, record);
  first.close();
  const second = openJournal(file, systemRandom);
  t.deepEqual(second.guest(uid), record);
  second.close();
});
