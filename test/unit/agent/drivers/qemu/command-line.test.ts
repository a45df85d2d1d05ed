import test from 'ava';
import {
  type CommandLineInput,
  renderCommandLine,
} from '../../../../../services/agent/drivers/qemu/command-line.ts';
import type { GuestSpec } from '../../../../../services/agent/drivers/qemu/guest-spec.ts';
import { guestSpec } from '../../../../support/guest-spec.ts';

const files = {
  pidFile: '/g/qemu.pid',
  qmpSocket: '/s/a.qmp',
  serialSocket: '/s/a.ser',
  serialLog: '/g/serial.log',
  initrd: null,
  disk: (name: string) => `/g/${name}.qcow2`,
};

const render = (guest: Partial<GuestSpec>, rest: Partial<CommandLineInput> = {}): string[] =>
  renderCommandLine({
    guest: guestSpec(guest),
    acceleration: { accelerator: 'tcg', sandbox: true },
    files,
    forwards: [],
    ...rest,
  });

/** One option per line, as it is read by people. */
const asText = (list: readonly string[]): string => list.join('\n').replaceAll(/\n(?!-)/g, ' ');

test('a guest that boots a kernel', (t) => {
  const list = render(
    {
      boot: {
        kind: 'kernel',
        kernelPath: '/i/vmlinuz',
        initrdPath: '/i/initrd',
        commandLine: 'a b',
      },
      disks: [{ name: 'data', sizeBytes: 1024 }],
      nics: [{ mac: '52:54:00:00:00:01', forwards: [] }],
    },
    {
      files: { ...files, initrd: '/g/initrd-with-token' },
      forwards: [
        { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 2222, guestPort: 22, nic: 0 },
        { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 5353, guestPort: 53, nic: 0 },
      ],
    },
  );
  t.is(
    asText(list),
    `-name guest=guest-1
-uuid 0190a0b0-0000-7000-8000-000000000001
-no-user-config
-nodefaults
-display none
-machine q35
-accel tcg,tb-size=128
-cpu max
-smp cpus=1
-m size=128M
-rtc base=utc
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny
-action reboot=shutdown
-pidfile /g/qemu.pid
-chardev socket,id=qmp,path=/s/a.qmp,server=on,wait=off
-mon chardev=qmp,mode=control
-chardev socket,id=serial,path=/s/a.ser,server=on,wait=off,logfile=/g/serial.log,logappend=on
-serial chardev:serial
-kernel /i/vmlinuz
-initrd /g/initrd-with-token
-append a b
-blockdev driver=file,node-name=file-data,discard=unmap,filename=/g/data.qcow2
-blockdev driver=qcow2,node-name=disk-data,discard=unmap,file=file-data
-device virtio-blk-pci,drive=disk-data,serial=data
-netdev user,id=nic0,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:127.0.0.1:5353-:53
-device virtio-net-pci,netdev=nic0,mac=52:54:00:00:00:01,romfile=`,
  );
});

test('an image boots from its overlay, accelerated and without a sandbox where told so', (t) => {
  const list = render(
    {
      machine: 'pc',
      boot: { kind: 'image', path: '/i/debian.qcow2', format: 'qcow2', sizeBytes: null },
      disks: [{ name: 'data', sizeBytes: 1024 }],
    },
    { acceleration: { accelerator: 'kvm', sandbox: false } },
  );
  const text = asText(list);
  t.true(text.includes('-machine pc,graphics=off\n-accel kvm\n-cpu host\n'));
  t.false(text.includes('-sandbox'));
  t.false(text.includes('debian.qcow2'), 'the image itself is never opened for writing');
  t.true(text.includes('filename=/g/root.qcow2'));
  t.is(text.match(/bootindex/g)?.length, 1);
  t.true(text.includes('virtio-blk-pci,drive=disk-root,serial=root,bootindex=1'));
});

test('media boots from a read-only drive', (t) => {
  const text = asText(render({ boot: { kind: 'media', isoPath: '/i/a,b.iso' } }));
  t.true(text.includes('driver=file,node-name=media,read-only=on,filename=/i/a,,b.iso'));
  t.true(text.includes('-device ide-cd,drive=media,bootindex=1'));
});

test('the network boots from each nic in turn, with its boot program', (t) => {
  const nics = ['01', '02'].map((last) => ({ mac: `52:54:00:00:00:${last}`, forwards: [] }));
  const text = asText(render({ boot: { kind: 'network' }, nics }));
  t.true(text.includes('netdev=nic0,mac=52:54:00:00:00:01,bootindex=1'));
  t.true(text.includes('netdev=nic1,mac=52:54:00:00:00:02,bootindex=2'));
  t.false(text.includes('romfile='));
});

test('a guest that boots nothing has nothing to boot', (t) => {
  const text = asText(render({ boot: { kind: 'none' }, disks: [{ name: 'd', sizeBytes: 1 }] }));
  t.true(text.includes('-boot strict=on'));
  t.false(text.includes('bootindex'));
});

test('the same guest gives the same list', (t) => {
  t.deepEqual(render({ cpus: 4 }), render({ cpus: 4 }));
  t.notDeepEqual(render({ cpus: 4 }), render({ cpus: 2 }));
});
