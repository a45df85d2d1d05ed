import { readFileSync } from 'node:fs';
import {
  type FoundAcceleration,
  findAcceleration,
  qemuVersion,
} from '../../services/agent/drivers/qemu/accelerator.ts';
import type { Program } from '../../services/agent/drivers/qemu/program.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import type { Logger } from '../../services/runtime/log.ts';
import type { StateDir } from './state-dir.ts';

type Cached = { readonly key: string; readonly found: FoundAcceleration };

/** What a trial found, kept until qemu or the host's boot changes: a trial takes seconds. */
export const cachedAcceleration = async (
  state: StateDir,
  trial: {
    readonly qemu: Program;
    readonly kernelPath: string;
    readonly clock: Clock;
    readonly log: Logger;
    readonly signal: AbortSignal;
  },
): Promise<FoundAcceleration> => {
  const key = `${await qemuVersion(trial.qemu, trial)} ${hostBootId()} ${process.getuid?.() ?? 0}`;
  const cached = state.readJson<Cached>('accelerator.json');
  if (cached.key === key && cached.found !== undefined) return cached.found;
  const found = await findAcceleration(trial);
  state.writeJson('accelerator.json', { key, found });
  return found;
};

const hostBootId = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
};
