import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const RUNM = join(import.meta.dirname, '../../services/cli/runm.mjs');

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** `runm` with a profile of its own. */
export type Runm = {
  readonly runm: (...args: string[]) => Promise<Outcome>;
  readonly spawnRunm: (...args: string[]) => ChildProcess;
};

/** `env` must name the profile (RUNM_CONFIG), so that nobody's own is used. */
export const createRunm = (env: NodeJS.ProcessEnv & { readonly RUNM_CONFIG: string }): Runm => {
  const spawnRunm = (...args: string[]) => spawn(process.execPath, [RUNM, ...args], { env });
  return { spawnRunm, runm: async (...args) => collect(spawnRunm(...args)) };
};

/** What a process wrote until it ended; its standard input is closed. */
export const collect = async (running: ChildProcess): Promise<Outcome> => {
  let stdout = '';
  let stderr = '';
  running.stdout?.on('data', (part: Buffer) => {
    stdout += part.toString();
  });
  running.stderr?.on('data', (part: Buffer) => {
    stderr += part.toString();
  });
  running.stdin?.end();
  const [code] = await once(running, 'close');
  return { code: typeof code === 'number' ? code : -1, stdout, stderr };
};

/** What it printed; throws what it complained of when it failed. */
export const ok = (outcome: Outcome): string => {
  if (outcome.code !== 0) throw new Error(`exit ${outcome.code}: ${outcome.stderr}`);
  return outcome.stdout;
};
