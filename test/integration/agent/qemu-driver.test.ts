import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import {
  createQemuDriver,
  type QemuDriver,
  type QemuDriverDeps,
} from '../../../services/agent/drivers/qemu/guest.ts';
import type { GuestEvent } from '../../../services/agent/drivers/qemu/guest-book.ts';
import type { GuestSpec } from '../../../services/agent/drivers/qemu/guest-spec.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { guestSpec } from '../../support/guest-spec.ts';
import { silentLog as log } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const FAKE = join(import.meta.dirname, '../../fakes/qemu-program.ts');

const host = async (change: Partial<QemuDriverDeps> = {}) => {
  await using made = new AsyncDisposableStack();
  const dir = made.use(temporaryDir()).path;
  const events: GuestEvent[] = [];
  const deps: QemuDriverDeps = {
    qemu: { path: process.execPath, args: [FAKE], env: {} },
    qemuImg: { path: '/nowhere/qemu-img', args: [], env: {} },
    acceleration: { accelerator: 'tcg', sandbox: false },
    guestsDir: join(dir, 'guests'),
    socketsDir: join(dir, 's'),
    portRange: { firstPort: 45_000, lastPort: 45_500 },
    ...{ clock, log },
    ...change,
  };
  const drivers: QemuDriver[] = [];
  const newDriver = (): QemuDriver => {
    const driver = createQemuDriver(deps);
    drivers.push(driver);
    driver.onEvent((event) => events.push(event));
    return driver;
  };
  const first = newDriver();
  const directory = join(deps.guestsDir, 'guest-1');
  made.defer(async () => {
    // One that still watches would write while its folder is removed.
    for (const driver of drivers) await driver.close();
    const last = createQemuDriver(deps);
    for (const name of await readdir(deps.guestsDir).catch(() => [])) await last.remove(name);
  });
  const stack = made.move();
  return {
    ...{ deps, events, directory, newDriver, driver: first },
    kinds: () => events.map((one) => (one.kind === 'ended' ? one.exit.kind : one.kind)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

const guest = (commandLine = '', change: Partial<GuestSpec> = {}): GuestSpec =>
  guestSpec({
    boot: { kind: 'kernel', kernelPath: '/k', initrdPath: null, commandLine },
    ...change,
  });

const boot = (counter: number) => ({ counter, token: `token-${counter}-5f1c` });
const type = async (driver: QemuDriver, text: string): Promise<void> =>
  (await driver.console('guest-1')).openWriter('test').write(Buffer.from(text));
const powerOf = async (driver: QemuDriver) => (await driver.status('guest-1'))?.power;

test('a guest starts, pauses, goes on and powers off when asked', async (t) => {
  await using it = await host();
  const { driver } = it;
  t.is(await driver.status('guest-1'), null);
  const started = await driver.start(guest(), boot(1));
  t.like(started, { power: 'running', bootCounter: 1, exit: null });
  t.like(await driver.pause('guest-1'), { pid: started.pid });
  await eventually(async () => (await powerOf(driver)) === 'paused');
  t.like(await t.throwsAsync(driver.shutdown('guest-1')), { reason: 'GUEST_PAUSED' });
  await driver.resume('guest-1');
  await eventually(async () => (await powerOf(driver)) === 'running');
  await driver.shutdown('guest-1');
  await eventually(async () => (await powerOf(driver)) === 'off');
  t.like(await driver.status('guest-1'), { pid: null, exit: { kind: 'powered_down' } });
  await eventually(() => it.kinds().length === 3);
  t.deepEqual(it.kinds(), ['started', 'kernel_line', 'powered_down']);
  t.like(await t.throwsAsync(driver.pause('guest-1')), { reason: 'GUEST_OFF' });
});

test('starting what runs and stopping what is off change nothing', async (t) => {
  await using it = await host();
  const [one, two] = await Promise.all([
    it.driver.start(guest(), boot(1)),
    it.driver.start(guest(), boot(2)),
  ]);
  t.is(one.pid, two.pid);
  t.is(two.bootCounter, 1);
  await it.driver.kill('guest-1');
  t.like(await it.driver.kill('guest-1'), { power: 'off', exit: { kind: 'stopped' } });
  t.like(await it.driver.stop('guest-1', { gracefulMs: 0 }), { power: 'off' });
  t.like(await it.driver.shutdown('guest-1'), { power: 'off' });
});

test('a guest that ignores its power button is stopped by force at the limit', async (t) => {
  await using it = await host();
  await it.driver.start(guest('deaf'), boot(1));
  t.is((await it.driver.shutdown('guest-1')).power, 'stopping');
  t.like(await it.driver.stop('guest-1', { gracefulMs: 150 }), { exit: { kind: 'stopped' } });
});

test('a paused guest can be stopped', async (t) => {
  await using it = await host();
  await it.driver.start(guest(), boot(1));
  await it.driver.pause('guest-1');
  const stopped = await it.driver.stop('guest-1', { gracefulMs: 60_000 });
  t.like(stopped, { power: 'off', exit: { kind: 'powered_down' } });
});

test('a reset from inside ends the boot and says so', async (t) => {
  await using it = await host();
  await it.driver.start(guest(), boot(1));
  await type(it.driver, 'reboot\n');
  await eventually(() => it.kinds().includes('guest_reset'));
  t.is(await powerOf(it.driver), 'off');
});

test('a crash is told with what qemu and the guest said last', async (t) => {
  await using it = await host();
  await it.driver.start(guest(), boot(1));
  await type(it.driver, 'crash\n');
  await eventually(() => it.kinds().includes('crashed'));
  const last = it.events.at(-1);
  t.like(last, { kind: 'ended', serialTail: '[    0.000000] Linux version 9.9-fake\n' });
  t.is((await it.driver.status('guest-1'))?.exit?.detail, 'exit code 3: qemu-fake: broken');
});

test('a guest whose qemu does not come up says why and may be tried again', async (t) => {
  await using it = await host();
  const error = await t.throwsAsync(it.driver.start(guest('exit-early'), boot(1)));
  t.like(error, { kind: 'unavailable', reason: 'QEMU_START_FAILED' });
  t.true(error?.message.includes('something wrong with the machine'), error?.message);
  t.like(await it.driver.status('guest-1'), { power: 'off', exit: { kind: 'not_started' } });
  t.like(await it.driver.start(guest(), boot(1)), { power: 'running' });
});

test('a missing qemu is told', async (t) => {
  await using it = await host({ qemu: { path: '/nowhere/qemu', args: [], env: {} } });
  t.like(await t.throwsAsync(it.driver.start(guest(), boot(1))), { reason: 'QEMU_START_FAILED' });
  t.like(await it.driver.status('guest-1'), { power: 'off' });
});

test('what is wanted is reached in one step, and a boot is never run twice', async (t) => {
  await using it = await host();
  const want = (counter: number) => it.driver.ensure(guest(), { power: 'on', boot: boot(counter) });
  const first = await want(1);
  t.is((await want(1)).pid, first.pid);
  const second = await want(2);
  t.not(second.pid, first.pid);
  t.is(second.bootCounter, 2);
  t.deepEqual(await it.driver.ensure(guest(), { power: 'off', gracefulMs: 60_000 }), {
    ...(await want(2)),
    power: 'off',
  });
  t.is((await want(3)).power, 'running');
});

test('the token is for the guest alone: not in the arguments, the record or the log', async (t) => {
  await using it = await host();
  const { pid } = await it.driver.start(guest(), boot(1));
  const { token } = boot(1);
  t.false((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(token));
  t.false((await readFile(join(it.directory, 'guest.json'), 'utf8')).includes(token));
  t.true((await readFile(join(it.directory, 'initrd-with-token'))).includes(token));
});

test('a new driver goes on with a guest that runs', async (t) => {
  await using it = await host();
  const before = await it.driver.start(guest(), boot(7));
  await eventually(() => it.kinds().includes('kernel_line'));
  await type(it.driver, 'abc\n');
  await it.driver.close();
  const next = it.newDriver();
  t.like((await next.list()).guests[0], { name: 'guest-1', pid: before.pid, bootCounter: 7 });
  await eventually(async () => (await powerOf(next)) === 'running');
  t.like(it.events.at(-1), { kind: 'started', adopted: true, pid: before.pid });
  await type(next, 'def\n');
  const log = async () =>
    (await (await next.console('guest-1')).readLog({ tailBytes: 4 })).bytes.toString();
  await eventually(async () => (await log()) === 'DEF\n');
  await next.stop('guest-1', { gracefulMs: 60_000 });
  t.is(it.kinds().filter((kind) => kind === 'kernel_line').length, 1);
  t.is(it.kinds().at(-1), 'powered_down');
});

test('a guest that ended while nobody looked is off, for an unknown reason', async (t) => {
  await using it = await host();
  const { pid } = await it.driver.start(guest(), boot(1));
  await it.driver.close();
  process.kill(pid ?? 0, 'SIGKILL');
  const next = it.newDriver();
  await eventually(async () => (await powerOf(next)) === 'off');
  t.like(await next.status('guest-1'), { exit: { kind: 'unwatched' } });
});

test('a process whose start was not recorded is found by its pid file', async (t) => {
  await using it = await host();
  const { pid } = await it.driver.start(guest(), boot(1));
  await it.driver.close();
  const path = join(it.directory, 'guest.json');
  const record: object = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...record, phase: 'launching', process: null }));
  const next = it.newDriver();
  await eventually(async () => (await powerOf(next)) === 'running');
  t.is((await next.status('guest-1'))?.pid, pid);
});

test('removing takes everything away, and nothing is left to remove', async (t) => {
  await using it = await host();
  const { pid } = await it.driver.start(guest(), boot(1));
  await it.driver.remove('guest-1');
  t.false(existsSync(`/proc/${pid}`));
  t.false(existsSync(it.directory));
  t.deepEqual(await readdir(it.deps.socketsDir), []);
  t.is(await it.driver.status('guest-1'), null);
  await t.notThrowsAsync(it.driver.remove('guest-1'));
  t.like(await t.throwsAsync(it.driver.console('guest-1')), { reason: 'GUEST_NOT_FOUND' });
});

test('a damaged guest is listed as such, ended and removed', async (t) => {
  await using it = await host();
  const { pid } = await it.driver.start(guest(), boot(1));
  await eventually(async () => (await it.driver.status('guest-1'))?.kernelLineAt);
  await it.driver.close();
  await writeFile(join(it.directory, 'guest.json'), '{"half');
  await mkdir(join(it.deps.guestsDir, 'empty'));
  const next = it.newDriver();
  const { guests, damaged } = await next.list();
  t.deepEqual(guests, []);
  t.deepEqual(
    damaged.map(({ name, problem }) => [name, problem.reason]),
    [
      ['empty', 'GUEST_RECORD_MISSING'],
      ['guest-1', 'GUEST_RECORD_DAMAGED'],
    ],
  );
  await next.remove('guest-1');
  await next.remove('empty');
  await eventually(() => !existsSync(`/proc/${pid}`));
  t.deepEqual(await readdir(it.deps.guestsDir), []);
});

test('all guests stop within the limit, those that listen and those that do not', async (t) => {
  await using it = await host();
  await it.driver.start(guest(), boot(1));
  await it.driver.start(guest('deaf', { name: 'guest-2' }), boot(1));
  // The one that does not would never end by itself.
  await it.driver.stopAll({ limitMs: 6_500 });
  const { guests } = await it.driver.list();
  t.deepEqual(
    guests.map(({ power, exit }) => [power, exit?.kind]),
    [
      ['off', 'powered_down'],
      ['off', 'stopped'],
    ],
  );
});

test('a caller may give up waiting; the guest goes on', async (t) => {
  await using it = await host();
  const giveUp = new AbortController();
  await it.driver.start(guest('deaf'), boot(1));
  const stopping = it.driver.stop('guest-1', { gracefulMs: 60_000, signal: giveUp.signal });
  giveUp.abort(new Error('changed my mind'));
  await t.throwsAsync(stopping, { message: 'changed my mind' });
  t.not(await powerOf(it.driver), 'off');
});

test('disks that cannot be made are told and nothing runs', async (t) => {
  await using it = await host();
  const disks = [{ name: 'data', sizeBytes: 1024 }];
  const start = it.driver.start(guest('', { disks }), boot(1));
  t.like(await t.throwsAsync(start), { reason: 'DISK_CREATE_FAILED' });
  t.is(await it.driver.status('guest-1'), null);
});
