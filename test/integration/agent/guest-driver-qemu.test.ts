import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { createQemuDriver } from '../../../services/agent/drivers/qemu/guest.ts';
import { guestDriverOf } from '../../../services/agent/guest-driver-qemu.ts';
import type { GuestConsole, GuestEvent, GuestOrder } from '../../../services/agent/ports.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog as log } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const FAKE = join(import.meta.dirname, '../../fakes/qemu-program.ts');
const uid = '0190a0b0-0000-7000-8000-00000000abcd';
const never = new AbortController().signal;

const order = (change: Partial<GuestOrder> = {}): GuestOrder => ({
  ...{ uid, hostname: 'demo', cpus: 1, memoryBytes: 100_000_000, diskBytes: 0 },
  boot: { kind: 'kernel', kernelPath: '/k', commandLine: 'console=ttyS0' },
  forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 }],
  ...{ bootCount: 1, bootToken: 'one-time', phoneHomeUrl: 'http://10.0.2.2:7445/phone-home' },
  ...change,
});

const host = async () => {
  await using made = new AsyncDisposableStack();
  const dir = made.use(temporaryDir()).path;
  const qemu = createQemuDriver({
    qemu: { path: process.execPath, args: [FAKE], env: {} },
    qemuImg: { path: '/nowhere/qemu-img', args: [], env: {} },
    acceleration: { accelerator: 'tcg', sandbox: false },
    guestsDir: join(dir, 'guests'),
    socketsDir: join(dir, 's'),
    portRange: { firstPort: 46_000, lastPort: 46_500 },
    ...{ clock, log },
  });
  made.defer(() => qemu.remove(uid));
  const driver = guestDriverOf(qemu);
  const events: GuestEvent[] = [];
  driver.onEvent((event) => events.push(event));
  const stack = made.move();
  const commandLine = async () => {
    const status = await qemu.status(uid);
    return (await readFile(`/proc/${status?.pid}/cmdline`, 'utf8')).split('\0');
  };
  return { driver, events, commandLine, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

const collect = (console: GuestConsole) => {
  const seen: string[] = [];
  const over = (async () => {
    for await (const one of console.output) {
      if (one.kind === 'data') seen.push(Buffer.from(one.bytes).toString());
      else seen.push(one.kind === 'taken_over' ? `<taken over by ${one.by}>` : `<${one.why}>`);
    }
  })();
  return { text: () => seen.join(''), over };
};

test('an order becomes a guest of that uid that knows its name and whom to phone', async (t) => {
  await using it = await host();
  await it.driver.start(order(), never);
  const options = await it.commandLine();
  t.true(options.includes(`guest=${uid}`) && options.includes('size=96M'));
  t.true(
    options.includes(
      'console=ttyS0 runm.hostname=demo runm.phone_home=http://10.0.2.2:7445/phone-home',
    ),
  );
  t.false(options.join(' ').includes('one-time'));
  const status = await it.driver.status(uid, never);
  t.like(status, { power: 'on', bootCount: 1 });
  const [forward] = status.forwards;
  t.true((forward?.hostPort ?? 0) >= 46_000);
  t.deepEqual(await it.driver.list(never), [uid]);
  await eventually(() => it.events.some((event) => event.kind === 'kernel_started'));
});

test('starting what runs does nothing, and a port stays with its guest', async (t) => {
  await using it = await host();
  await it.driver.start(order(), never);
  await t.notThrowsAsync(it.driver.start(order(), never));
  await it.driver.start(order({ bootCount: 2 }), never);
  t.like(await it.driver.status(uid, never), { power: 'on', bootCount: 1 });
  const { forwards } = await it.driver.status(uid, never);
  await it.driver.kill(uid, never);
  t.like(await it.driver.status(uid, never), { power: 'off', exit: { kind: 'stopped' } });
  await it.driver.start(order({ bootCount: 2 }), never);
  t.deepEqual((await it.driver.status(uid, never)).forwards, forwards);
});

test('what is not there is off already', async (t) => {
  await using it = await host();
  t.deepEqual(await it.driver.status(uid, never), { power: 'off', bootCount: 0, forwards: [] });
  await it.driver.askPowerOff(uid, never);
  await it.driver.kill(uid, never);
  await it.driver.remove(uid, never);
  t.deepEqual(await it.driver.list(never), []);
});

test('of two people at one console the second types and the first is told', async (t) => {
  await using it = await host();
  await it.driver.start(order(), never);
  const open = (by: string, readOnly = false) =>
    it.driver.openConsole({ uid, readOnly, replayBytes: 10_000, by }, never);
  const [ann, watcher] = [await open('ann'), await open('eve', true)];
  const [annSees, watcherSees] = [collect(ann), collect(watcher)];
  ann.write(Buffer.from('first\n'));
  await eventually(() => annSees.text().includes('FIRST'));
  const bob = await open('bob');
  const bobSees = collect(bob);
  await eventually(() => annSees.text().endsWith('<taken over by bob>'));
  ann.write(Buffer.from('unheard\n'));
  watcher.write(Buffer.from('unheard\n'));
  bob.write(Buffer.from('second\n'));
  await eventually(() => annSees.text().endsWith('SECOND\n'));
  await eventually(() => watcherSees.text().endsWith('SECOND\n'));
  await eventually(() => bobSees.text().endsWith('SECOND\n'));
  t.true(bobSees.text().includes('FIRST'));
  t.false(bobSees.text().includes('UNHEARD'));
  watcher.close();
  await watcherSees.over;
  await it.driver.remove(uid, never);
  await bobSees.over;
  t.true(bobSees.text().endsWith('<the machine is gone>'));
});

test('a shortened history says so', async (t) => {
  await using it = await host();
  await it.driver.start(order(), never);
  await eventually(() => it.events.some((event) => event.kind === 'kernel_started'));
  t.true((await it.driver.readLog(uid, 5)).truncated);
  t.false((await it.driver.readLog(uid, 5_000)).truncated);
  const { truncated } = await it.driver.openConsole(
    { uid, readOnly: true, replayBytes: 5, by: 'ann' },
    never,
  );
  t.true(truncated);
});
