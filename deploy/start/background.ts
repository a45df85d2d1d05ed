import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_FLAGS } from './node-flags.ts';
import { type StartOptions, StartRefused } from './options.ts';
import { openStateDir } from './state-dir.ts';

/**
 * Starts the same command as a child of its own session and shows what it prints until it says that
 * it is ready. The child tells so by a message; its later output goes to the log.
 */
export const goToBackground = async (options: StartOptions): Promise<number> => {
  const state = openStateDir(options.stateDir);
  const output = openSync(state.file('background.out'), 'w', 0o600);
  const args = process.argv.slice(2).filter((one) => one !== '--background');
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, join(import.meta.dirname, 'main.ts'), ...args],
    {
      detached: true,
      stdio: ['ignore', output, output, 'ipc'],
      env: { ...process.env, RUNM_START_IN_BACKGROUND: '1' },
    },
  );
  closeSync(output);
  const outcome = await new Promise<number>((resolve) => {
    child.on('message', (message) => {
      if (typeof message !== 'object' || message === null) return;
      if ('line' in message) console.log(String(message.line));
      if ('ready' in message) resolve(0);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
  if (child.connected) child.disconnect();
  child.unref();
  if (outcome !== 0) {
    throw new StartRefused(
      'the background process ended before it was ready',
      `read ${state.file('background.out')}`,
    );
  }
  return 0;
};
