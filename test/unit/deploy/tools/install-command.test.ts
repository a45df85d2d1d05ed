import test from 'ava';
import { installCommand, systemPackages } from '../../../../deploy/tools/install-command.ts';

const having = (program: string) => (one: string) => one === program;

test('each package manager gets its own names', (t) => {
  t.is(
    installCommand(['etcd', 'haproxy'], having('apt-get')),
    'sudo apt-get update && sudo apt-get install --no-install-recommends etcd-server haproxy',
  );
  t.is(installCommand(['postgres'], having('dnf')), 'sudo dnf install postgresql-server');
  t.is(installCommand(['postgres'], having('pacman')), 'sudo pacman -S postgresql');
  t.is(installCommand(['qemu', 'qemu-img'], having('brew')), 'brew install qemu');
});

test('a system without a known package manager gets a sentence', (t) => {
  t.is(
    installCommand(['qemu'], () => false),
    "Install qemu with this system's package manager",
  );
});

test('a kernel is never installed on the machine itself', (t) => {
  t.deepEqual(systemPackages(['kernel', 'busybox']), ['busybox-static']);
});
