import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { createQemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { lockStateDir } from '../../services/runtime/lock-file.ts';
import { createLog } from '../../services/runtime/log.ts';
import { type StartOptions, StartRefused } from './options.ts';
import { openStateDir, type StateDir } from './state-dir.ts';
import { stopRunning } from './stop.ts';

/** Fetched programs stay; the lock is let go of last. */
const KEPT = new Set(['tools', 'process.lock', 'process.json']);

/** Destroys all machines, records and secrets of this installation. */
export const reset = async (options: StartOptions): Promise<number> => {
  if (!existsSync(options.stateDir)) {
    console.log(`nothing to reset: there is no ${options.stateDir}`);
    return 0;
  }
  if (!options.yes) await confirm(options.stateDir);
  const stopped = await stopRunning(options.stateDir);
  if (stopped !== 0) return stopped;
  const state = openStateDir(options.stateDir);
  const lock = lockStateDir(state.path, 'reset');
  try {
    await removeGuests(state, state.file('guests'));
    await removeGuests(state, state.file('lab/guests'));
    for (const name of state.names()) {
      if (!KEPT.has(name)) rmSync(state.file(name), { recursive: true, force: true });
    }
    rmSync(state.runtimeDir, { recursive: true, force: true });
  } finally {
    lock.release();
  }
  console.log('reset: machines, records, certificates and tokens are gone; npm start begins anew');
  return 0;
};

/** After a kill -9 guests run on without anybody: they are found by their records and ended. */
const removeGuests = async (state: StateDir, guestsDir: string): Promise<void> => {
  if (!existsSync(guestsDir)) return;
  const none = { path: '/bin/false', args: [], env: {} };
  const driver = createQemuDriver({
    qemu: none,
    qemuImg: none,
    acceleration: { accelerator: 'tcg', sandbox: false },
    guestsDir,
    socketsDir: state.runtimeDir,
    portRange: { firstPort: 20_000, lastPort: 29_999 },
    clock: systemClock,
    log: createLog({ name: 'reset', level: 'warn' }),
  });
  for (const name of readdirSync(guestsDir)) await driver.remove(name);
  await driver.close();
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
