import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../../deploy/tools/program.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { freeUdpPort } from './free-port.ts';
import { temporaryDir } from './temporary-dir.ts';

/** OpenIPMI's controller, which nobody here wrote, with a server whose power is a file. */
export type IpmiSim = {
  /** "127.0.0.1:port" */
  readonly address: string;
  readonly pid: () => number;
  /** What its power script was told last. */
  readonly isOn: () => boolean;
  readonly bootDevice: () => string;
  readonly kill: () => Promise<void>;
  readonly restart: () => Promise<void>;
} & AsyncDisposable;

export type IpmiSimOptions = {
  readonly program: Program;
  readonly host?: string;
  readonly port?: number;
  /** Where its serial line ends, such as "telnet:127.0.0.1:2323". */
  readonly sol?: string;
  /** Further commands, such as `main_sdr_add 0x20 …`. */
  readonly emulation?: readonly string[];
  /** Without it `power status` starts no process and nothing can be switched. */
  readonly withPower?: boolean;
};

export const SIM_CREDENTIALS = { user: 'admin', password: 'secret' } as const;

export const startIpmiSim = async (options: IpmiSimOptions): Promise<IpmiSim> => {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(temporaryDir({ inMemory: true }));
  const host = options.host ?? '127.0.0.1';
  const port = options.port ?? (await freeUdpPort());
  writeFiles(dir.path, { ...options, host, port });
  const run = (): ChildProcess =>
    spawn(
      options.program.path,
      [...options.program.args, '-n', '-c', 'lan.conf', '-f', 'node.emu', '-s', 'state'],
      {
        cwd: dir.path,
        env: { PATH: process.env.PATH, ...options.program.env },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
  let child = run();
  cleanup.defer(() => endChild(child));
  await untilAnswering(host, port);
  const owned = cleanup.move();
  const read = (name: string): string =>
    existsSync(join(dir.path, name)) ? readFileSync(join(dir.path, name), 'utf8').trim() : '';
  return {
    address: `${host}:${port}`,
    pid: () => child.pid ?? 0,
    isOn: () => read('power') === '1',
    bootDevice: () => read('boot'),
    kill: () => endChild(child),
    restart: async () => {
      await endChild(child);
      child = run();
      await untilAnswering(host, port);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

/** RMCP with an ASF ping, tag 7 (ASF 2.0 §3.2.4.1). */
const PING = Buffer.from('0600ff06000011be80070000', 'hex');
const START_LIMIT_MS = 60_000;

const untilAnswering = async (host: string, port: number): Promise<void> => {
  const socket = createSocket('udp4');
  const answered = Promise.withResolvers<void>();
  socket.on('message', () => answered.resolve());
  socket.on('error', () => undefined);
  const endMs = performance.now() + START_LIMIT_MS;
  let isDone = false;
  void answered.promise.then(() => {
    isDone = true;
  });
  try {
    while (!isDone) {
      if (performance.now() > endMs) throw new Error(`nothing answers at ${host}:${port}`);
      socket.send(PING, port, host);
      await Promise.race([answered.promise, systemClock.sleep(50)]);
    }
  } finally {
    socket.close();
  }
};

type Place = IpmiSimOptions & { readonly host: string; readonly port: number };

const writeFiles = (dir: string, options: Place): void => {
  mkdirSync(join(dir, 'state/ipmi_sim/node'), { recursive: true });
  writeFileSync(join(dir, 'lan.conf'), lanConf(dir, options));
  writeFileSync(join(dir, 'node.emu'), [...EMULATION, ...(options.emulation ?? []), ''].join('\n'));
  writeFileSync(join(dir, 'chassis'), CHASSIS, { mode: 0o755 });
};

const lanConf = (dir: string, { host, port, sol, withPower = true }: Place): string => {
  const levels = ['callback', 'user', 'operator', 'admin'];
  const auths = levels.map((level) => `    allowed_auths_${level} none md2 md5 straight`);
  return [
    'name "node"',
    'set_working_mc 0x20',
    '  startlan 1',
    `    addr ${host} ${port}`,
    '    priv_limit admin',
    ...auths,
    '    guid 123e4567e89b42d3a456426614174000',
    '  endlan',
    ...(withPower ? [`  chassis_control "${join(dir, 'chassis')} 0x20"`] : []),
    ...(sol === undefined ? [] : [`  sol "${sol}" 115200`]),
    '  user 1 true  ""        "test" user  10 none md2 md5 straight',
    `  user 2 true  "${SIM_CREDENTIALS.user}" "${SIM_CREDENTIALS.password}" admin 10 none md2 md5 straight`,
    '',
  ].join('\n');
};

const EMULATION = [
  'mc_setbmc 0x20',
  'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr',
  'sel_enable 0x20 1000 0x0a',
  'mc_enable 0x20',
];

/** Called as `chassis 0x20 get power boot` and `chassis 0x20 set power 1`. */
const CHASSIS = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
shift
verb=$1
shift
if [ "$verb" = get ]; then
  for name in "$@"; do
    case $name in
      power) echo "power:$(cat power 2>/dev/null || echo 0)" ;;
      boot) echo "boot:$(cat boot 2>/dev/null || echo default)" ;;
      *) exit 1 ;;
    esac
  done
  exit 0
fi
while [ $# -ge 2 ]; do
  case $1 in
    power) echo "$2" > power ;;
    reset) echo 1 > power ;;
    shutdown) echo 0 > power ;;
    boot) echo "$2" > boot ;;
  esac
  shift 2
done
`;

const endChild = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
};
