import { statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { captureTail, openCapture } from '../../../../services/agent/bmc/console-capture.ts';
import { createSerialLine } from '../../../../services/agent/bmc/serial-line.ts';
import type { GuestConsole, GuestConsoleOutput } from '../../../../services/agent/ports.ts';
import { silentLog } from '../../../../services/runtime/log.ts';
import { type MemoryBmc, memoryBmc, memoryDriver } from '../../../fakes/memory-bmc.ts';
import { eventually } from '../../../support/eventually.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const never = new AbortController().signal;
const WRITER = { readOnly: false, replayBytes: 1_000, by: 'ada', reason: '' };

const setUp = (directory: string) => {
  const bmc: MemoryBmc = memoryBmc();
  const clock = manualClock();
  const driver = memoryDriver(new Map([['bmc', bmc]]));
  let idles = 0;
  const line = createSerialLine({
    uid: 'm1',
    captureFile: join(directory, 'm1.log'),
    open: async (signal) => {
      const address = { address: 'bmc', provider: 'r1u1', certificateSha256: '' };
      const session = await driver.open(address, { user: 'admin', password: 'secret' }, signal);
      const offer = session.offers.console;
      if (offer.kind === 'not_offered') throw new Error(offer.why);
      return offer.aspect.open(signal);
    },
    heard: () => undefined,
    idle: () => {
      idles += 1;
    },
    clock,
    log: silentLog(),
  });
  return { bmc, clock, line, idles: () => idles };
};

/** Everything that a console gives, as it comes. */
const collect = (console: GuestConsole) => {
  const parts: GuestConsoleOutput[] = [];
  const reading = (async () => {
    for await (const part of console.output) parts.push(part);
  })();
  const text = () =>
    parts.map((part) => (part.kind === 'data' ? Buffer.from(part.bytes).toString() : '')).join('');
  return { parts, text, reading };
};

test('the line is open while somebody is attached, and closed at the controller after', async (t) => {
  using dir = temporaryDir();
  const { bmc, line, idles } = setUp(dir.path);
  const opened = await line.attach(WRITER, never);
  const { text } = collect(opened);
  bmc.serial?.push('hello');
  await eventually(() => text() === 'hello');
  opened.write(Buffer.from('ls\r'));
  await eventually(() => bmc.typed === 'ls\r');
  opened.close();
  await eventually(() => idles() === 1);
  t.deepEqual(bmc.log, ['open', 'open console', 'close console']);
});

test('a line that breaks is opened again, later and later, and its readers stay', async (t) => {
  using dir = temporaryDir();
  const { bmc, clock, line } = setUp(dir.path);
  const opened = await line.attach(WRITER, never);
  const { text } = collect(opened);
  bmc.serial?.push('one');
  await eventually(() => text() === 'one');
  bmc.serial?.break();
  await eventually(() => text().includes('the line broke'));
  t.is(bmc.serial, undefined);
  await clock.advance(500);
  await eventually(() => bmc.serial);
  bmc.serial?.push('two');
  await eventually(() => text().endsWith('two'));
  t.deepEqual(captureTail(join(dir.path, 'm1.log'), 100).bytes.toString(), 'onetwo');
  opened.close();
});

test('a console that cannot be opened says why, and is tried at once by the next who asks', async (t) => {
  using dir = temporaryDir();
  const { bmc, line } = setUp(dir.path);
  bmc.offersConsole = false;
  line.keep(true);
  await t.throwsAsync(line.attach(WRITER, never), { message: 'this controller has none' });
  bmc.offersConsole = true;
  const opened = await line.attach(WRITER, never);
  t.truthy(bmc.serial);
  opened.close();
  await line.end('over');
});

test('who attaches gets what was said before, and all are told when it ends', async (t) => {
  using dir = temporaryDir();
  const { bmc, line } = setUp(dir.path);
  line.keep(true);
  await eventually(() => bmc.serial);
  bmc.serial?.push('boot text');
  await eventually(() => captureTail(join(dir.path, 'm1.log'), 100).bytes.length > 0);
  const opened = await line.attach({ ...WRITER, replayBytes: 4 }, never);
  t.true(opened.truncated);
  const { parts, text, reading } = collect(opened);
  await eventually(() => text() === 'text');
  await line.end('the access ended');
  await reading;
  t.deepEqual(parts.at(-1), { kind: 'closed', why: 'the access ended' });
  t.is(bmc.serial, undefined);
});

test('a capture survives, is private, and keeps within twice its size', (t) => {
  using dir = temporaryDir();
  const path = join(dir.path, 'm1.log');
  const first = openCapture(path, 100);
  for (let i = 0; i < 50; i += 1) first.append(Buffer.from(`line ${i}\n`));
  first.close();
  const second = openCapture(path, 100);
  second.append(Buffer.from('last\n'));
  t.true(second.tail(10_000).bytes.length <= 220);
  t.true(second.tail(20).bytes.toString().endsWith('line 49\nlast\n'));
  t.true(second.tail(20).truncated);
  t.is(statSync(path).mode & 0o777, 0o600);
  second.close();
  t.is(captureTail(join(dir.path, 'none.log'), 10).bytes.length, 0);
});
