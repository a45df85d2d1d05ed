import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import {
  type ConsoleLimits,
  createGuestConsole,
} from '../../../../../services/agent/drivers/qemu/console.ts';
import {
  readLogTail,
  rotateLog,
  withoutOverlap,
} from '../../../../../services/agent/drivers/qemu/console-log.ts';
import { systemClock as clock } from '../../../../../services/runtime/clock.ts';
import { eventually } from '../../../../support/eventually.ts';
import { silentLog as log } from '../../../../support/silent-log.ts';
import { temporaryDir } from '../../../../support/temporary-dir.ts';

/**
 * A serial port as qemu gives it: one client, and a log that is written whether or not there is
 * one.
 */
const serialPort = async (limits?: Partial<ConsoleLimits>) => {
  await using made = new AsyncDisposableStack();
  const dir = made.use(temporaryDir()).path;
  const [serialSocket, serialLog] = [join(dir, 'ser'), join(dir, 'serial.log')];
  let client: Socket | null = null;
  let typed = '';
  const server = createServer((socket) => {
    client = socket;
    socket.on('data', (chunk) => {
      typed += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (client === socket) client = null;
    });
  });
  await new Promise<void>((resolve) => server.listen(serialSocket, resolve));
  const kernelLines: string[] = [];
  const onKernelLine = (line: string) => void kernelLines.push(line);
  const console = createGuestConsole({
    ...{ name: 'g', serialSocket, serialLog, clock, log, onKernelLine },
    ...(limits === undefined ? {} : { limits }),
  });
  made.defer(async () => {
    console.end();
    client?.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const stack = made.move();
  return {
    ...{ console, kernelLines, serialLog },
    typed: () => typed,
    connected: () => eventually(() => client),
    /**
     * What the guest writes: to the log always, to the client if there is one. In this order, as
     * the instant in which qemu has yet to write the log would be as long as a busy disk likes.
     */
    guestWrites: async (text: string) => {
      await appendFile(serialLog, text);
      client?.write(text);
    },
    read: (historyBytes = 10_000) => {
      let text = '';
      const over = (async () => {
        for await (const chunk of console.read({ historyBytes })) {
          if (chunk.kind === 'bytes') text += chunk.bytes.toString();
        }
      })();
      return { text: () => text, over };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

test('what was written before anyone listened is neither lost nor doubled', async (t) => {
  await using port = await serialPort();
  await port.guestWrites('first boot\n');
  const early = port.read();
  await eventually(() => early.text() === 'first boot\n');
  await port.guestWrites('second boot\n');
  await port.console.attach();
  await port.connected();
  await port.guestWrites('live\n');
  await eventually(() => early.text() === 'first boot\nsecond boot\nlive\n');
  const late = port.read();
  await eventually(() => late.text() === early.text());
  const tail = port.read(5);
  await eventually(() => tail.text() === 'live\n');
  t.is(early.text().match(/second/g)?.length, 1);
});

test('readers stay over a reboot', async (t) => {
  await using port = await serialPort();
  const reader = port.read();
  await port.console.attach();
  (await port.connected()).destroy();
  await port.console.drained();
  await port.guestWrites('between\n');
  await port.console.attach();
  await port.connected();
  await port.guestWrites('again\n');
  await eventually(() => reader.text() === 'between\nagain\n');
  t.pass();
});

test('the newcomer writes, and the one before is told', async (t) => {
  await using port = await serialPort();
  await port.console.attach();
  const first = port.console.openWriter('ann');
  await first.write(Buffer.from('one '));
  const second = port.console.openWriter('bob');
  t.deepEqual(await first.ended, { why: 'taken_over', by: 'bob' });
  t.like(await t.throwsAsync(first.write(Buffer.from('x'))), { reason: 'CONSOLE_TAKEN_OVER' });
  await second.write(Buffer.from('two'));
  await eventually(() => port.typed() === 'one two');
  first.close();
  await second.write(Buffer.from('!'));
  second.close();
  t.deepEqual(await second.ended, { why: 'closed' });
  t.like(await t.throwsAsync(second.write(Buffer.from('x'))), { reason: 'CONSOLE_CLOSED' });
});

test('nobody can write to a guest that is off', async (t) => {
  await using port = await serialPort();
  const writer = port.console.openWriter('ann');
  t.like(await t.throwsAsync(writer.write(Buffer.from('x'))), { reason: 'GUEST_NOT_RUNNING' });
});

test('a removed guest ends readers and writer', async (t) => {
  await using port = await serialPort();
  await port.console.attach();
  const reader = port.read();
  const writer = port.console.openWriter('ann');
  await eventually(() => port.connected());
  await port.guestWrites('x');
  await eventually(() => reader.text() === 'x');
  port.console.end();
  await reader.over;
  t.deepEqual(await writer.ended, { why: 'removed' });
});

test('the kernel line of each boot is found once', async (t) => {
  await using port = await serialPort();
  await port.console.beginBoot();
  await port.console.attach();
  await port.connected();
  await port.guestWrites('SeaBIOS\r\n[    0.000000] Linux ver');
  await port.guestWrites('sion 6.1\r\n[    0.1] more\r\n');
  await eventually(() => port.kernelLines.length === 1);
  await port.guestWrites('[    0.200000] Linux version again\r\n');
  t.deepEqual(port.kernelLines, ['[    0.000000] Linux version 6.1']);
});

test('the kernel line of a boot that went on without us is found in the log', async (t) => {
  await using port = await serialPort();
  await port.guestWrites('[    0.000000] Linux version 5.0 of the boot before\n');
  const offset = (await stat(port.serialLog)).size;
  await port.guestWrites('[    0.000000] Linux version 6.1\n');
  await port.console.resumeBoot(offset);
  t.deepEqual(port.kernelLines, ['[    0.000000] Linux version 6.1']);
});

test('the log is rotated above its bound and its tail still holds both parts', async (t) => {
  await using port = await serialPort({ logBytes: 1_000 });
  await port.console.attach();
  await port.connected();
  await port.guestWrites(`${'a'.repeat(1_100)}END`);
  await eventually(async () => (await stat(port.serialLog)).size === 0);
  await port.guestWrites('new');
  const tail = async () => (await port.console.readLog({ tailBytes: 7 })).bytes.toString();
  await eventually(async () => (await tail()) === 'aENDnew');
  const reader = port.read(3);
  await eventually(() => reader.text() === 'new');
  t.true((await port.console.readLog({ tailBytes: 1_105 })).truncated);
  t.false((await port.console.readLog({ tailBytes: 1_106 })).truncated);
  t.is((await readFile(`${port.serialLog}.1`, 'utf8')).length, 1_103);
});

test('a log that is absent, shorter than asked or empty is no error', async (t) => {
  using dir = temporaryDir();
  const path = join(dir.path, 'log');
  t.is((await readLogTail(path, 10)).toString(), '');
  await writeFile(path, 'abc');
  t.is((await readLogTail(path, 10)).toString(), 'abc');
  t.is((await readLogTail(path, 2)).toString(), 'bc');
  t.is((await readLogTail(path, 0)).toString(), '');
  t.is(await rotateLog(path), 3);
  t.is((await readLogTail(path, 2)).toString(), 'bc');
});

for (const [logged, live, rest] of [
  ['abc', 'abc', ''],
  ['xabc', 'abcd', 'd'],
  ['abc', 'xyz', 'xyz'],
  ['abc', 'bcd', 'd'],
  ['', 'a', 'a'],
  ['a', '', ''],
  ['aa', 'aaa', 'a'],
] as const) {
  test(`of "${live}" after a log that ends with "${logged}" only "${rest}" is new`, (t) => {
    t.is(withoutOverlap(Buffer.from(logged), Buffer.from(live)).toString(), rest);
  });
}
