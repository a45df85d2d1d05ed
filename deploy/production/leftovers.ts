import { existsSync, readFileSync } from 'node:fs';
import {
  identifyProcess,
  isRunning,
  type ProcessIdentity,
  signalProcess,
} from '../../services/agent/drivers/qemu/process.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import { writeWhole } from '../start/state-dir.ts';
import type { ManagedProcess } from './managed-process.ts';

/**
 * Our processes live in sessions of their own and outlive a kill of the script. Their pids lie in a
 * file with their start times, so that the next start ends them and nothing else.
 */
export type ProcessFile = {
  readonly record: (process: ManagedProcess) => void;
  /** Ends what an earlier script left behind. */
  readonly endLeftovers: (say: (line: string) => void) => Promise<void>;
  /** Identity of a process by its name, also for another script. */
  readonly find: (name: string) => ProcessIdentity | undefined;
};

const END_LIMIT_MS = 10_000;

export const openProcessFile = (file: string, clock: Clock): ProcessFile => {
  const read = (): Record<string, ProcessIdentity> =>
    existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  let queue = Promise.resolve();
  return {
    find: (name) => read()[name],
    record: (process) => {
      queue = queue.then(async () => {
        const identity = await identifyProcess(process.pid());
        if (identity === null) return;
        writeWhole(file, `${JSON.stringify({ ...read(), [process.name]: identity }, null, 2)}\n`);
      });
    },
    endLeftovers: async (say) => {
      const left = Object.entries(read());
      for (const [name, identity] of left.toReversed()) {
        if (!(await signalProcess(identity, 'SIGTERM'))) continue;
        say(`ending ${name} (process ${identity.pid}), which was left behind`);
        const endMs = clock.monotonicMs() + END_LIMIT_MS;
        while ((await isRunning(identity)) && clock.monotonicMs() < endMs) await clock.sleep(50);
        await signalProcess(identity, 'SIGKILL');
      }
    },
  };
};
