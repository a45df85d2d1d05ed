import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../../deploy/tools/program.ts';
import { LAB_CREDENTIALS } from './ipmi-lab.ts';
import { temporaryDir } from './temporary-dir.ts';

/** Programs of others that speak IPMI as clients, each call a process. */
export type ClientResult = { readonly code: number | null; readonly output: string };

export type SuiteNumber = 3 | 17;

export type ClientTarget = {
  /** 127.0.0.1 where absent. */
  readonly host?: string;
  readonly port: number;
  readonly suite: SuiteNumber;
  readonly user?: string;
  readonly password?: string;
};

const LIMIT_MS = 180_000;

/** The password goes by a file: a command line can be read by others. */
export const ipmitool = async (
  program: Program,
  target: ClientTarget,
  ...command: readonly string[]
): Promise<ClientResult> => {
  using dir = temporaryDir();
  return await run(program, [...ipmitoolArguments(dir.path, target), ...command]);
};

/** What is typed once a line begins with, or has, what is awaited (a basic regular expression). */
type Typing = { readonly after: string; readonly type: string };

/** Types into `sol activate` at a terminal of its own; ~. at the end ends it. */
export const ipmitoolConsole = async (
  program: Program,
  target: ClientTarget,
  what: readonly Typing[],
): Promise<ClientResult> => {
  using dir = temporaryDir();
  const words = [program.path, ...program.args, ...ipmitoolArguments(dir.path, target)];
  const command = [...words, 'sol', 'activate'].map((word) => `'${word}'`).join(' ');
  const heard = join(dir.path, 'heard');
  // Bounded, as it outlives whoever is ended because of a limit.
  const wait = `for _ in $(seq 600); do grep -q "$1" ${heard} && return; sleep 0.1; done`;
  const typed = what.map(({ after, type }) => `heard '${after}'; printf '%s' '${type}'`);
  writeFileSync(
    join(dir.path, 'type.sh'),
    `heard() { ${wait}; }\n(${typed.join('; ')}) | ${command}\n`,
  );
  const script: Program = { ...program, path: 'script', args: [] };
  const line = `stty -echo; sh ${join(dir.path, 'type.sh')}`;
  return await run(script, ['-qefc', line, heard]);
};

const ipmitoolArguments = (dir: string, target: ClientTarget): readonly string[] => {
  const { port, suite } = target;
  const { user, password } = { ...LAB_CREDENTIALS, ...target };
  const file = join(dir, 'password');
  writeFileSync(file, password, { mode: 0o600 });
  const host = target.host ?? '127.0.0.1';
  const place = ['-H', host, '-p', String(port), '-U', user, '-f', file];
  // Where other tests have the cores, an answer takes longer than the second it waits by itself.
  return ['-I', 'lanplus', '-C', String(suite), '-N', '3', '-R', '10', ...place];
};

export const freeipmi = async (
  program: Program,
  target: ClientTarget,
  ...command: readonly string[]
): Promise<ClientResult> => {
  using dir = temporaryDir();
  const { port, suite } = target;
  const { user, password } = { ...LAB_CREDENTIALS, ...target };
  const file = join(dir.path, 'freeipmi.conf');
  writeFileSync(file, `username ${user}\npassword ${password}\n`, { mode: 0o600 });
  // Where other tests have the cores, an answer takes longer than FreeIPMI's own 20 s.
  const patience = ['--session-timeout=55000', '--retransmission-timeout=2000'];
  const place = ['--config-file', file, '-h', `127.0.0.1:${port}`, ...patience];
  return await run(program, [...place, '-D', 'LAN_2_0', '-I', String(suite), ...command], dir.path);
};

const run = (program: Program, args: readonly string[], home?: string): Promise<ClientResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(program.path, [...program.args, ...args], {
      env: {
        PATH: process.env.PATH,
        ...(home === undefined ? {} : { HOME: home }),
        ...program.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
