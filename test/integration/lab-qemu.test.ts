import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { LabPower } from '../../deploy/lab/server-port.ts';
import { needs } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { type LabRack, qemuRack } from '../support/lab-rack.ts';

const need = needs('qemu', 'qemu-img', 'busybox', 'kernel');
const test = need.test;

const BOOT = { limitMs: 180_000 };

const powerIs = (rack: LabRack, power: LabPower) =>
  eventually(() => rack.server().server.power() === power, { ...BOOT, message: power });
const heardOf = (rack: LabRack, text: string, times = 1) =>
  eventually(() => rack.heard().split(text).length > times, { ...BOOT, message: text });

test('a server of the lab boots, is typed at, goes down by itself and when asked', async (t) => {
  await using rack = await qemuRack(need);
  const { server } = rack.server();
  await server.changePower('on');
  await powerIs(rack, 'on');
  await heardOf(rack, 'Linux version');
  await heardOf(rack, 'r1u1:/root# ');
  const write = (text: string) => server.serial.write(Buffer.from(text));
  write('echo "answer-$((6*7))"; cat /sys/block/vda/serial\r');
  await heardOf(rack, 'answer-42');
  await heardOf(rack, server.hardware.disks[0]?.serialNumber ?? 'none');
  const first = await rack.pid();
  write('reboot\r');
  await heardOf(rack, 'Linux version', 2);
  t.not(await rack.pid(), first);
  t.is(server.power(), 'on');
  await server.changePower('soft_off');
  await powerIs(rack, 'off');
  t.is(await rack.pid(), null);
  t.deepEqual(
    server.log().map(({ message }) => message),
    [
      'Power turned on',
      'The operating system reset the system',
      'System reset',
      'The operating system powered off',
    ],
  );
  t.is(statSync(join(rack.directory, 'servers/r1u1/credentials.json')).mode & 0o777, 0o600);
  t.is(statSync(join(rack.directory, 'servers/r1u1/state.json')).mode & 0o777, 0o600);
});

test('another process finds the server running, and boots one that was stopped', async (t) => {
  await using rack = await qemuRack(need);
  const server = () => rack.server().server;
  server().setBoot({ device: 'network', persistent: false, mode: 'legacy' });
  await server().changePower('on');
  await powerIs(rack, 'on');
  await heardOf(rack, 'iPXE');
  const pid = await rack.pid();
  const [account] = server().accounts();
  await rack.takeOver();
  await powerIs(rack, 'on');
  t.is(await rack.pid(), pid);
  t.deepEqual(server().accounts(), [account]);
  t.is(server().boot().device, 'none', 'it was used up');
  await server().changePower('reset');
  await heardOf(rack, 'r1u1:/root# ');
  t.not(await rack.pid(), pid);
  await rack.stop();
  await rack.start();
  await powerIs(rack, 'on');
  await heardOf(rack, 'r1u1:/root# ', 2);
  await server().changePower('nmi');
  await server().changePower('off');
  await powerIs(rack, 'off');
  t.is(await rack.pid(), null);
});
