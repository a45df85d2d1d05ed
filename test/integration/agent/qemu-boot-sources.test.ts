import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { guestPaths } from '../../../services/agent/drivers/qemu/guest-record.ts';
import type { BootSource } from '../../../services/agent/drivers/qemu/guest-spec.ts';
import { connectQmp } from '../../../services/agent/drivers/qemu/qmp.ts';
import { needs } from '../../needs.ts';
import { eventually } from '../../support/eventually.ts';
import { guestSpec } from '../../support/guest-spec.ts';
import { qemuHost } from '../../support/qemu-host.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const need = needs('qemu', 'qemu-img');
const test = need.test;

const FIRMWARE = { limitMs: 180_000 };

const firmwareSays = test.macro({
  exec: async (t, boot: (dir: string) => Promise<BootSource>, expected: RegExp) => {
    using dir = temporaryDir();
    await using host = await qemuHost(need);
    const spec = guestSpec({
      boot: await boot(dir.path),
      disks: [{ name: 'data', sizeBytes: 1024 * 1024 }],
      nics: [
        {
          mac: '52:54:00:00:00:01',
          forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: null, guestPort: 22 }],
        },
      ],
    });
    await host.driver.start(spec, { counter: 1, token: null });
    await eventually(async () => expected.test(await host.output(spec.name)), FIRMWARE);
    t.like(await host.driver.kill(spec.name), { power: 'off', exit: { kind: 'stopped' } });
  },
  title: (what = '') => `a guest that boots from ${what} runs, and its firmware says so`,
});

test(
  'an image without a system',
  firmwareSays,
  async (dir) => {
    const path = join(dir, 'base,1.qcow2');
    const { path: qemuImg, args, env } = need.program('qemu-img');
    const create = ['create', '-q', '-f', 'qcow2', path, '1M'];
    await promisify(execFile)(qemuImg, [...args, ...create], { env: { ...process.env, ...env } });
    return { kind: 'image', path, format: 'qcow2', sizeBytes: null };
  },
  /Booting from Hard Disk[\s\S]*not a bootable disk/,
);

test(
  'a medium without a system',
  firmwareSays,
  async (dir) => {
    await writeFile(join(dir, 'a.iso'), Buffer.alloc(64 * 1024));
    return { kind: 'media', isoPath: join(dir, 'a.iso') };
  },
  /Booting from DVD\/CD[\s\S]*Boot failed/,
);

test('the network', firmwareSays, async () => ({ kind: 'network' }), /iPXE[\s\S]*net0/);

test('nothing', firmwareSays, async () => ({ kind: 'none' }), /No bootable device/);

test('qemu refuses with a reason, and greets no second client', async (t) => {
  await using host = await qemuHost(need);
  const spec = guestSpec();
  await host.driver.start(spec, { counter: 1, token: null });
  const { qmpSocket: path } = guestPaths(host.deps.guestsDir, host.deps.socketsDir, spec.name);
  const { clock } = host.deps;
  const dial = (limitMs: number) => connectQmp({ path, clock, limitMs, onEvent: () => undefined });
  t.like(await t.throwsAsync(dial(300)), { reason: 'QMP_NO_ANSWER' });
  await host.driver.close();
  const client = await dial(FIRMWARE.limitMs);
  t.regex(client.version, /^\d+\.\d+\.\d+$/);
  const refused = client.execute('eject', { arguments: { id: 'nothing' } });
  t.like(await t.throwsAsync(refused), { reason: 'QMP_REFUSED' });
  client.close();
  await client.closed;
  await host.newDriver().remove(spec.name);
});

test('a disk image that is not there is told by its name', async (t) => {
  await using host = await qemuHost(need);
  const boot = {
    kind: 'image',
    path: '/nowhere/a.qcow2',
    format: 'qcow2',
    sizeBytes: null,
  } as const;
  const start = host.driver.start(guestSpec({ boot }), { counter: 1, token: null });
  const error = await t.throwsAsync(start);
  t.like(error, { reason: 'DISK_CREATE_FAILED' });
  t.true(error?.message.includes('/nowhere/a.qcow2'), error?.message);
});
