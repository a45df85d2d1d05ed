import { readFile } from 'node:fs/promises';
import { needs } from '../../needs.ts';
import { eventually } from '../../support/eventually.ts';
import { guestSpec } from '../../support/guest-spec.ts';
import { bootOf, labLinux } from '../../support/lab-linux.ts';
import { phoneHomeServer } from '../../support/phone-home-server.ts';
import { qemuHost } from '../../support/qemu-host.ts';

const need = needs('qemu', 'qemu-img', 'busybox', 'kernel');
const test = need.test;

const BOOT = { limitMs: 180_000 };
const nics = [{ mac: '52:54:00:12:34:56', forwards: [] }];

test('a real guest boots, phones home, answers at its console, powers off, resets', async (t) => {
  const image = await labLinux(need.program('kernel'), need.program('busybox'));
  await using phone = await phoneHomeServer({ refusals: 1 });
  await using host = await qemuHost(need);
  const { driver } = host;
  const more = `runm.hostname=demo runm.phone_home=${phone.guestUrl}`;
  const spec = guestSpec({ nics, boot: bootOf(image, more) });
  const called = (count: number) => eventually(() => phone.calls[count - 1], BOOT);
  const powerOf = async () => (await driver.status(spec.name))?.power;

  const started = await driver.start(spec, { counter: 1, token: 'token-of-boot-1' });
  t.is(started.power, 'running');
  t.false((await readFile(`/proc/${started.pid}/cmdline`, 'utf8')).includes('token-of'));
  await eventually(() => host.kinds().includes('kernel_line'), BOOT);
  const first = await called(1);
  t.is(first.path, '/phone-home/token-of-boot-1');
  t.is(first.hostname, 'demo');
  t.is(first.kernelRelease, image.kernelRelease);

  await eventually(async () => (await host.output(spec.name)).includes('demo:/root# '), BOOT);
  await host.type(spec.name, 'echo "answer-$((6*7))-$(hostname)"\r');
  await eventually(async () => (await host.output(spec.name)).includes('answer-42-demo'), BOOT);
  await host.type(spec.name, 'ls /run; cat /run/boot-token\r');
  await eventually(async () => (await host.output(spec.name)).includes("can't open"), BOOT);
  t.false((await host.output(spec.name)).includes('token-of'), 'a used token is forgotten');

  await driver.shutdown(spec.name);
  await eventually(async () => (await powerOf()) === 'off', BOOT);
  t.is((await driver.status(spec.name))?.exit?.kind, 'powered_down');

  await driver.start(spec, { counter: 2, token: 'token-of-boot-2' });
  const second = await called(2);
  t.is(second.path, '/phone-home/token-of-boot-2');
  t.regex(second.bootId, /^[0-9a-f-]{36}$/);
  t.not(second.bootId, first.bootId);

  const prompts = async () => (await host.output(spec.name)).split("Enter 'help'").length - 1;
  await eventually(async () => (await prompts()) === 2, BOOT);
  await host.type(spec.name, 'reboot\r');
  await eventually(async () => (await powerOf()) === 'off', BOOT);
  t.is((await driver.status(spec.name))?.exit?.kind, 'guest_reset');
  await eventually(() => host.kinds().length === 6);
  t.deepEqual(host.kinds(), [
    ...['started', 'kernel_line', 'powered_down'],
    ...['started', 'kernel_line', 'guest_reset'],
  ]);
});
