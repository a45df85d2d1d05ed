/**
 * Stands in for qemu where a test needs a guest's process and no guest: takes qemu's arguments,
 * speaks QMP to one client at a time, and has a serial port. `-append` says how it behaves:
 * `exit-early`, `deaf` (ignores the power button). Typed lines: `reboot` and `crash` end it,
 * anything else comes back in capitals.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

const options = process.argv.slice(2);
const optionValue = (name: string): string => options[options.indexOf(name) + 1] ?? '';
const chardev = (id: string, key: string): string => {
  const found = options.find((option) => option.includes(`id=${id},`)) ?? '';
  return new RegExp(`,${key}=([^,]*)`).exec(found)?.[1] ?? '';
};
const behaviour = options.includes('-append') ? optionValue('-append') : '';

if (options.includes('-version')) {
  console.log('QEMU emulator version 9.8.7 (fake)');
  process.exit(0);
}
if (behaviour.includes('exit-early')) {
  console.error('qemu-fake: there is something wrong with the machine');
  process.exit(1);
}
writeFileSync(optionValue('-pidfile'), `${process.pid}\n`);

let monitor: Socket | null = null;
let terminal: Socket | null = null;
let status = 'running';

const send = (message: object): void => void monitor?.write(`${JSON.stringify(message)}\n`);
const end = (reason: string): void => {
  send({ event: 'SHUTDOWN', data: { guest: reason.startsWith('guest'), reason } });
  monitor?.end(() => process.exit(0));
  if (monitor === null) process.exit(0);
};
/** To the log first: whoever has heard it finds it there, however busy the disk is. */
const print = (text: string): void => {
  appendFileSync(chardev('serial', 'logfile'), text);
  terminal?.write(text);
};

const COMMANDS: Readonly<Record<string, () => object>> = {
  qmp_capabilities: () => ({}),
  'query-uuid': () => ({ UUID: optionValue('-uuid') }),
  'query-status': () => ({ status }),
  stop: () => {
    status = 'paused';
    send({ event: 'STOP' });
    return {};
  },
  cont: () => {
    status = 'running';
    send({ event: 'RESUME' });
    return {};
  },
  system_powerdown: () => {
    send({ event: 'POWERDOWN' });
    if (!behaviour.includes('deaf') && status === 'running') setImmediate(end, 'guest-shutdown');
    return {};
  },
  quit: () => {
    setImmediate(end, 'host-qmp-quit');
    return {};
  },
};

const waiting: Socket[] = [];
const greetNext = (): void => {
  monitor = waiting.shift() ?? null;
  send({ QMP: { version: { qemu: { major: 9, minor: 8, micro: 7 } }, capabilities: [] } });
};

createServer((client) => {
  client.on('error', () => undefined);
  client.on('data', (chunk) => {
    for (const line of chunk.toString().trim().split('\n')) {
      const { execute, id }: { execute: string; id: number } = JSON.parse(line);
      send({ return: COMMANDS[execute]?.() ?? {}, id });
    }
  });
  client.on('close', () => {
    if (client === monitor) greetNext();
  });
  waiting.push(client);
  if (monitor === null) greetNext();
}).listen(chardev('qmp', 'path'));

createServer((client) => {
  terminal = client;
  client.on('error', () => undefined);
  client.on('data', (chunk) => {
    const line = chunk.toString().trim();
    if (line === 'reboot') end('guest-reset');
    else if (line === 'crash') {
      console.error('qemu-fake: broken');
      process.exit(3);
    } else print(`${line.toUpperCase()}\n`);
  });
}).listen(chardev('serial', 'path'));

print('[    0.000000] Linux version 9.9-fake\n');
