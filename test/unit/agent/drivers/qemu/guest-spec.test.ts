import test from 'ava';
import {
  checkGuestSpec,
  digestOfSpec,
  type GuestSpec,
} from '../../../../../services/agent/drivers/qemu/guest-spec.ts';
import { guestSpec } from '../../../../support/guest-spec.ts';

const nic = { mac: '52:54:00:00:00:01', forwards: [] };
const forward = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: null } as const;
const disk = { name: 'data', sizeBytes: 1 };

test('a guest with a disk, a nic and a forward is accepted', (t) => {
  const forwards = [{ ...forward, guestPort: 22 }];
  t.notThrows(() => checkGuestSpec(guestSpec({ disks: [disk], nics: [{ ...nic, forwards }] })));
});

const refused = test.macro({
  exec: (t, change: Partial<GuestSpec>, field: string) => {
    const error = t.throws(() => checkGuestSpec(guestSpec(change)));
    t.like(error, { kind: 'invalid_argument' });
    t.true(error?.message.includes(field), error?.message);
  },
  title: (_given, change) => `${JSON.stringify(change).slice(0, 60)} is refused and named`,
});

test(refused, { name: '../up' }, '../up');
test(refused, { name: '-dash' }, '-dash');
test(refused, { uuid: 'no' }, 'uuid');
test(refused, { cpus: 0 }, 'cpus');
test(refused, { cpus: 1.5 }, 'cpus');
test(refused, { memoryBytes: 16 * 1024 * 1024 + 1 }, 'memoryBytes');
test(refused, { memoryBytes: 1024 * 1024 }, 'memoryBytes');
test(refused, { disks: [{ name: 'a,b', sizeBytes: 1 }] }, 'disks[0].name');
test(refused, { disks: [disk, disk] }, 'disks[1].name');
test(refused, { disks: [{ name: 'data', sizeBytes: 0 }] }, 'disks[0].sizeBytes');
test(refused, { nics: [{ ...nic, mac: '52:54' }] }, 'nics[0].mac');
test(refused, { nics: [{ ...nic, forwards: [{ ...forward, guestPort: 0 }] }] }, 'nics[0].forwards');
test(
  refused,
  {
    boot: { kind: 'image', path: '/i', format: 'raw', sizeBytes: null },
    disks: [{ name: 'root', sizeBytes: 1 }],
  },
  'disks[0].name',
);

test('the digest depends on what is said and not on the order of saying it', (t) => {
  const one = guestSpec();
  const { nics, disks, boot, memoryBytes, cpus, machine, uuid, name } = one;
  const other = { nics, disks, boot, memoryBytes, cpus, machine, uuid, name };
  t.is(digestOfSpec(one), digestOfSpec(other));
  t.not(digestOfSpec(one), digestOfSpec(guestSpec({ cpus: 2 })));
});
