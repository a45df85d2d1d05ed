import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AcceleratorTrial,
  type FoundAcceleration,
  findAcceleration,
  qemuVersion,
} from './drivers/qemu/accelerator.ts';
import { hostBootId } from './drivers/qemu/process.ts';
import type { Program } from './drivers/qemu/program.ts';

export type TrialOptions = {
  /** Holds what was found, in `accelerator.json`. */
  readonly stateDir: string;
  readonly qemu: Program;
  /** Kernel that is booted once to find out how this host runs guests. */
  readonly trialKernel: string;
};

type Cached = { readonly key: string; readonly found: FoundAcceleration };

/** What a trial found, kept until qemu or the host's boot changes: a trial takes seconds. */
export const cachedAcceleration = async (
  { stateDir, qemu, trialKernel: kernelPath }: TrialOptions,
  { clock, log, signal }: Pick<AcceleratorTrial, 'clock' | 'log' | 'signal'>,
): Promise<FoundAcceleration> => {
  const trial = { qemu, kernelPath, clock, log, ...(signal === undefined ? {} : { signal }) };
  const key = `${await qemuVersion(qemu, trial)} ${await hostBootId()} ${process.getuid?.() ?? 0}`;
  const file = join(stateDir, 'accelerator.json');
  const cached = await readCached(file);
  if (cached.key === key && cached.found !== undefined) return cached.found;
  const found = await findAcceleration(trial);
  await writeFile(`${file}.new`, `${JSON.stringify({ key, found })}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return found;
};

const readCached = async (file: string): Promise<Partial<Cached>> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return {};
  }
};
