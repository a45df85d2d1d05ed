import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { findKernel, findProgram, findUnpacked } from '../../../../deploy/tools/program.ts';

/** A tools folder with these files in its tree, and these tools marked as complete. */
const toolsDir = ({ files, ready }: { files: readonly string[]; ready: readonly string[] }) => {
  const path = mkdtempSync(join(tmpdir(), 'runm-tools-'));
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text, { mode: 0o755 });
  };
  for (const file of files) write(join('root', file), '#!/bin/sh\n');
  const record = JSON.stringify({ packages: [], libraryDirs: ['usr/lib/x'] });
  for (const tool of ready) write(join('ready', `${tool}.json`), record);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

test('an unpacked program brings the path of its libraries', (t) => {
  using dir = toolsDir({ files: ['usr/bin/etcd'], ready: ['etcd'] });
  const found = findUnpacked('etcd', dir.path);
  t.is(found?.path, join(dir.path, 'root/usr/bin/etcd'));
  t.is(found?.source, 'unpacked');
  t.is(found?.env.LD_LIBRARY_PATH?.split(':')[0], join(dir.path, 'root/usr/lib/x'));
});

test('a tool that is not unpacked in full is not found', (t) => {
  using dir = toolsDir({ files: ['usr/bin/etcd'], ready: ['haproxy'] });
  t.is(findUnpacked('etcd', dir.path), undefined);
  t.is(findUnpacked('haproxy', dir.path), undefined);
});

test('of several PostgreSQL versions the newest is taken, by number', (t) => {
  const files = ['9', '15', '17'].map((one) => `usr/lib/postgresql/${one}/bin/initdb`);
  using dir = toolsDir({ files, ready: ['postgres'] });
  const found = findUnpacked('initdb', dir.path);
  t.is(found?.path, join(dir.path, 'root/usr/lib/postgresql/17/bin/initdb'));
  t.is(found?.runAs !== undefined, process.getuid?.() === 0);
});

test('an unpacked qemu is told where its firmware and modules lie', (t) => {
  const binary = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
  using dir = toolsDir({ files: [`usr/bin/${binary}`], ready: ['qemu'] });
  const found = findUnpacked('qemu', dir.path);
  t.deepEqual(found?.args.slice(0, 2), ['-L', join(dir.path, 'root/usr/share/qemu')]);
  t.true(found?.env.QEMU_MODULE_DIR?.startsWith(join(dir.path, 'root/usr/lib')));
});

test('of Debian’s chromium the program is taken, not the script with absolute paths', (t) => {
  const files = ['usr/bin/chromium', 'usr/lib/chromium/chromium'];
  using dir = toolsDir({ files, ready: ['chromium'] });
  t.is(findUnpacked('chromium', dir.path)?.path, join(dir.path, 'root', files[1] ?? ''));
});

test('a tool that brings several programs is found by each of them and by its own name', (t) => {
  const files = ['usr/bin/ipmi_sim', 'usr/sbin/ipmipower'];
  using dir = toolsDir({ files, ready: ['openipmi', 'freeipmi'] });
  t.is(findUnpacked('openipmi', dir.path)?.path, join(dir.path, 'root/usr/bin/ipmi_sim'));
  t.is(findUnpacked('ipmi_sim', dir.path)?.path, join(dir.path, 'root/usr/bin/ipmi_sim'));
  t.is(findUnpacked('freeipmi', dir.path)?.path, join(dir.path, 'root/usr/sbin/ipmipower'));
  t.is(findUnpacked('ipmi-sel', dir.path), undefined);
});

test('the newest kernel that has its modules is taken, in both layouts', (t) => {
  using dir = toolsDir({
    files: [
      'boot/vmlinuz-6.1.0-9-cloud-amd64',
      'lib/modules/6.1.0-9-cloud-amd64/modules.dep',
      'boot/vmlinuz-6.1.0-10-cloud-amd64',
      'usr/lib/modules/6.1.0-10-cloud-amd64/modules.dep',
      'boot/vmlinuz-6.1.0-11-cloud-amd64',
    ],
    ready: ['kernel'],
  });
  const found = findUnpacked('kernel', dir.path);
  t.is(found && findKernel(found.path)?.release, '6.1.0-10-cloud-amd64');
  t.is(found && findKernel(found.path, /-9-/)?.release, '6.1.0-9-cloud-amd64');
});

test('an installed program is preferred to an unpacked one', (t) => {
  const before = process.env.PATH;
  using dir = toolsDir({ files: ['usr/bin/haproxy'], ready: ['haproxy'] });
  process.env.PATH = join(dir.path, 'root/usr/bin');
  try {
    t.is(findProgram('haproxy', dir.path)?.source, 'system');
  } finally {
    process.env.PATH = before;
  }
});
