import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { type StartOptions, StartRefused } from './options.ts';
import { openStateDir } from './state-dir.ts';
import { stopRunning } from './stop.ts';

/** Destroys all machines, records and secrets of this installation; fetched programs stay. */
const KEPT = new Set(['tools']);

export const reset = async (options: StartOptions): Promise<number> => {
  if (!existsSync(options.stateDir)) {
    console.log(`nothing to reset: there is no ${options.stateDir}`);
    return 0;
  }
  if (!options.yes) await confirm(options.stateDir);
  const stopped = await stopRunning(options.stateDir);
  if (stopped !== 0) return stopped;
  const state = openStateDir(options.stateDir);
  for (const name of state.names()) {
    if (!KEPT.has(name)) rmSync(state.file(name), { recursive: true, force: true });
  }
  rmSync(state.runtimeDir, { recursive: true, force: true });
  console.log('reset: machines, records, certificates and tokens are gone; npm start begins anew');
  return 0;
};

const confirm = async (stateDir: string): Promise<void> => {
  if (!process.stdin.isTTY) {
    throw new StartRefused('reset asks before it destroys, and there is no terminal', 'add --yes');
  }
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question(
    `This destroys every machine, disk and record under ${stateDir}. Type "reset" to go on: `,
  );
  lines.close();
  if (answer.trim() !== 'reset') throw new StartRefused('not confirmed', 'nothing was changed');
};
