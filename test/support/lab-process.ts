import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabServerStatus, LabStatus } from '../../deploy/lab/control-protocol.ts';
import { isLabMessage } from '../../deploy/lab/lab-message.ts';
import { createQemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import { readRecord } from '../../services/agent/drivers/qemu/guest-record.ts';
import { isRunning } from '../../services/agent/drivers/qemu/process.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import type { Needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { testToolsDir } from '../tools-dir.ts';
import { type ClientResult, ipmitool } from './ipmi-clients.ts';
import { ownNet } from './lab-rack.ts';
import { createRunm, type Runm } from './runm.ts';
import { silentLog as log } from './silent-log.ts';
import { temporaryDir } from './temporary-dir.ts';

/** The lab as `npm start` runs it, in a directory and on addresses of its own. */
export type LabProcess = AsyncDisposable &
  Runm & {
    readonly directory: string;
    readonly start: (...flags: string[]) => Promise<LabStatus>;
    /** Resolves when it is gone. */
    readonly end: (signal: NodeJS.Signals) => Promise<void>;
    readonly server: (name: string) => LabServerStatus;
    readonly credentials: (name: string) => { readonly user: string; readonly password: string };
    readonly ipmitool: (name: string, ...command: string[]) => Promise<ClientResult>;
    /** Pid and boot of the qemu behind a server; null: it does not run. */
    readonly qemu: (name: string) => Promise<{ pid: number; boot: number } | null>;
  };

const MAIN = join(import.meta.dirname, '../../deploy/lab/main.ts');
const READY_LIMIT_MS = 180_000;

export const labProcess = async (need: Needs): Promise<LabProcess> => {
  await using made = new AsyncDisposableStack();
  made.use(await slot('guest'));
  const directory = made.use(temporaryDir()).path;
  const net = String(ownNet());
  let child: ChildProcess | undefined;
  let status: LabStatus | undefined;

  /** For ending what a killed lab left. */
  const driverOf = () => {
    const none = { path: '/bin/false', args: [], env: {} };
    return createQemuDriver({
      ...{ qemu: none, qemuImg: none, acceleration: { accelerator: 'tcg', sandbox: false } },
      ...{ guestsDir: join(directory, 'guests'), socketsDir: join(directory, 's'), clock, log },
      portRange: { firstPort: 1, lastPort: 1 },
    });
  };
  const end: LabProcess['end'] = async (signal) => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  };
  made.defer(async () => {
    await end('SIGKILL');
    const driver = driverOf();
    const { guests, damaged } = await driver.list();
    for (const { name } of [...guests, ...damaged]) await driver.remove(name);
    await driver.close();
  });
  const server: LabProcess['server'] = (name) => {
    const found = status?.servers.find((one) => one.name === name);
    if (found === undefined) throw new Error(`the lab has no ${name}`);
    return found;
  };
  const credentials: LabProcess['credentials'] = (name) =>
    JSON.parse(readFileSync(server(name).credentialsFile, 'utf8'));
  const stack = made.move();
  return {
    ...{ directory, end, server, credentials },
    start: async (...flags) => {
      const dirs = ['--state-dir', directory, '--sockets-dir', join(directory, 's')];
      const args = [MAIN, ...dirs, '--tools-dir', testToolsDir(), '--first-net', net, ...flags];
      const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
      child = started;
      status = await readyOf(started);
      return status;
    },
    ipmitool: (name, ...command) => {
      const [host = '', port] = server(name).ipmi.split(':');
      const target = { host, port: Number(port), suite: 17, ...credentials(name) } as const;
      return ipmitool(need.program('ipmitool'), target, ...command);
    },
    qemu: async (name) => {
      const record = await readRecord(join(directory, 'guests', name, 'guest.json'));
      if (record === null || record.process === null) return null;
      const { process: identity, bootCounter: boot } = record;
      return (await isRunning(identity)) ? { pid: identity.pid, boot } : null;
    },
    ...createRunm({
      ...process.env,
      RUNM_CONFIG: join(directory, 'none'),
      RUNM_LAB_SOCKET: join(directory, 's', 'lab.sock'),
    }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

const readyOf = (child: ChildProcess): Promise<LabStatus> =>
  new Promise((resolve, reject) => {
    let printed = '';
    const late = setTimeout(() => reject(new Error(`not ready: ${printed}`)), READY_LIMIT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (part: Buffer) => {
        printed += part.toString();
      });
    }
    child.once('exit', () => reject(new Error(`it ended: ${printed}`)));
    child.on('message', (message) => {
      if (!isLabMessage(message)) return;
      clearTimeout(late);
      if (message.lab === 'ready') resolve(message.status);
      else reject(new Error(message.message));
    });
  });
