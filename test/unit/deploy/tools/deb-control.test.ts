import test from 'ava';
import { archiveName, parseDepends, parseStanzas } from '../../../../deploy/tools/deb-control.ts';

const TEXT = `Package: qemu-system-x86
Version: 1:7.2+dfsg-7
Architecture: amd64
Provides: qemu-kvm, qemu-system-i386 (= 1:7.2)
Pre-Depends: libc6 (>= 2.34)
Depends: libaio1 (>= 0.3.93), debconf (>= 0.5) | debconf-2.0,
 perl:any
Description: emulator
 Depends: not this one
Size: 9281168
SHA256: abc

Package: half
Status: deinstall ok config-files
Version: 1

Package: whole
Status: install ok installed
Version: 2
`;

test('a stanza gives the dependencies of both kinds, also when they are folded', (t) => {
  const [qemu] = parseStanzas(TEXT);
  t.deepEqual(
    qemu?.depends.map((group) => group.map((one) => one.name)),
    [['libc6'], ['libaio1'], ['debconf', 'debconf-2.0'], ['perl']],
  );
  t.is(qemu?.sizeBytes, 9281168);
  t.is(qemu?.sha256, 'abc');
});

test('a provision keeps its version', (t) => {
  const [qemu] = parseStanzas(TEXT);
  t.deepEqual(qemu?.provides, [
    { name: 'qemu-kvm' },
    { name: 'qemu-system-i386', constraint: { relation: '=', version: '1:7.2' } },
  ]);
});

test('a removed package whose settings stayed does not count as installed', (t) => {
  const installed = parseStanzas(TEXT).filter((one) => one.installed);
  t.deepEqual(
    installed.map((one) => one.name),
    ['whole'],
  );
});

test('an archive is named as apt-get download names it', (t) => {
  const [qemu] = parseStanzas(TEXT);
  t.is(qemu && archiveName(qemu), 'qemu-system-x86_1%3a7.2+dfsg-7_amd64.deb');
});

test('an empty dependency list has no groups', (t) => {
  t.deepEqual(parseDepends(''), []);
  t.deepEqual(parseDepends(' , '), []);
});
