/**
 * Finds out by trial how this host runs guests. That /dev/kvm exists and opens proves nothing:
 * there are hosts where it does and no kernel ever starts on it. So a guest is really booted until
 * its kernel speaks.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import type { Clock } from '../../../runtime/clock.ts';
import { type DomainError, deadlineExceeded, unavailable } from '../../../runtime/errors.ts';
import type { Acceleration } from './command-line.ts';
import { createKernelLineScanner } from './kernel-line.ts';
import { type DriverLog, type Program, programEnvironment } from './program.ts';
import { within } from './within.ts';

export type FoundAcceleration = Acceleration & {
  /** True when the guest's processor is emulated: everything takes several times as long. */
  readonly emulated: boolean;
  /** A sentence for people. */
  readonly why: string;
  /** From the start of qemu to the kernel's first line, in the trial. */
  readonly firstLineMs: number;
};

export type AcceleratorTrial = {
  readonly qemu: Program;
  /** A bootable kernel for the guest's architecture. */
  readonly kernelPath: string;
  readonly clock: Clock;
  readonly log: DriverLog;
  readonly signal?: AbortSignal;
  /**
   * How long KVM may take to the first line; it takes well below a second where it works. 4000 when
   * absent.
   */
  readonly kvmLimitMs?: number;
  /** The same for emulation; 30000 when absent. */
  readonly tcgLimitMs?: number;
  /** /dev/kvm when absent. */
  readonly kvmDevice?: string;
};

const OUTPUT_CHARACTERS_MAX = 2_000;

/**
 * KVM if a kernel boots on it, else emulation. Worth keeping by qemuVersion and hostBootId. Throws
 * unavailable QEMU_UNUSABLE when no kernel boots at all, with what qemu said.
 */
export const findAcceleration = async (trial: AcceleratorTrial): Promise<FoundAcceleration> => {
  const kvm = await tryKvm(trial);
  if (typeof kvm !== 'string') return kvm;
  const limitMs = trial.tcgLimitMs ?? 30_000;
  const emulated = { accelerator: 'tcg', emulated: true, why: kvm } as const;
  const confined = await attempt(trial, { accelerator: 'tcg', sandbox: true }, limitMs);
  if (confined.ok) return { ...emulated, sandbox: true, firstLineMs: confined.firstLineMs };
  const open = await attempt(trial, { accelerator: 'tcg', sandbox: false }, limitMs);
  if (open.ok) return { ...emulated, sandbox: false, firstLineMs: open.firstLineMs };
  throw unavailable('QEMU_UNUSABLE', `No kernel boots in ${trial.qemu.path}: ${open.problem}`, {
    metadata: { program: trial.qemu.path, problem: open.problem },
  });
};

/** Like "7.2.22". Throws unavailable QEMU_UNUSABLE. */
export const qemuVersion = async (
  qemu: Program,
  options: { readonly clock: Clock; readonly signal?: AbortSignal },
): Promise<string> => {
  const child = spawnQemu(qemu, ['-version']);
  const limit = { ...options, limitMs: 10_000, expired: () => unusable(qemu, 'no answer') };
  try {
    const output = await within(limit, () => readToEnd(child));
    const version = /version (\d+(?:\.\d+)+)/.exec(output)?.[1];
    if (version === undefined) throw unusable(qemu, output);
    return version;
  } finally {
    child.kill('SIGKILL');
  }
};

type Attempt =
  | { readonly ok: true; readonly firstLineMs: number }
  | { readonly ok: false; readonly problem: string };

/** A sentence on why not, or what was found. */
const tryKvm = async (trial: AcceleratorTrial): Promise<FoundAcceleration | string> => {
  const device = trial.kvmDevice ?? '/dev/kvm';
  try {
    await access(device, constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return code === 'ENOENT'
      ? `this host has no ${device}`
      : `${device} may not be opened by this user (${code})`;
  }
  const limitMs = trial.kvmLimitMs ?? 4_000;
  const problems: string[] = [];
  for (const sandbox of [true, false]) {
    const result = await attempt(trial, { accelerator: 'kvm', sandbox }, limitMs);
    if (result.ok) {
      const why = `a kernel started on ${device} in the trial`;
      const { firstLineMs } = result;
      return { accelerator: 'kvm', emulated: false, sandbox, why, firstLineMs };
    }
    problems.push(result.problem);
  }
  return `${device} is there, but no kernel starts on it: ${problems.at(-1)}`;
};

const attempt = async (
  trial: AcceleratorTrial,
  acceleration: Acceleration,
  limitMs: number,
): Promise<Attempt> => {
  const startedMs = trial.clock.monotonicMs();
  const child = spawnQemu(trial.qemu, trialArguments(acceleration, trial.kernelPath));
  const expired = () => deadlineExceeded('NO_KERNEL_LINE', `no kernel line within ${limitMs} ms`);
  const limit = { clock: trial.clock, limitMs, signal: trial.signal, expired };
  try {
    await within(limit, () => kernelSpeaks(child));
    const firstLineMs = Math.round(trial.clock.monotonicMs() - startedMs);
    trial.log.info({ ...acceleration, firstLineMs }, 'accelerator works');
    return { ok: true, firstLineMs };
  } catch (error) {
    trial.signal?.throwIfAborted();
    const problem = error instanceof Error ? error.message : String(error);
    trial.log.info({ ...acceleration, problem }, 'accelerator does not work');
    return { ok: false, problem };
  } finally {
    child.kill('SIGKILL');
  }
};

const trialArguments = ({ accelerator, sandbox }: Acceleration, kernelPath: string): string[] => [
  ...['-no-user-config', '-nodefaults', '-display', 'none', '-machine', 'q35'],
  ...['-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'max', '-m', 'size=128M'],
  ...(sandbox ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny'] : []),
  ...['-serial', 'stdio', '-no-reboot'],
  ...['-kernel', kernelPath, '-append', 'console=ttyS0 panic=-1'],
];

const spawnQemu = (qemu: Program, options: readonly string[]): ChildProcess =>
  spawn(qemu.path, [...qemu.args, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: programEnvironment(qemu),
  });

/** Resolves at the first kernel line, rejects when the process ends before. */
const kernelSpeaks = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    const scanner = createKernelLineScanner();
    let errors = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      if (scanner.push(chunk) !== null) resolve();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
    });
    child.once('error', reject);
    child.once('close', (code, signal) =>
      reject(new Error(errors.trim() || `qemu ended with ${signal ?? `code ${code}`}`)),
    );
  });

const readToEnd = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(0, OUTPUT_CHARACTERS_MAX);
    });
    child.once('error', (cause) => reject(unusableBecause(child, cause)));
    child.once('close', () => resolve(output));
  });

const unusable = (qemu: Program, problem: string): DomainError =>
  unavailable('QEMU_UNUSABLE', `Cannot use ${qemu.path}: ${problem}`, {
    metadata: { program: qemu.path, problem },
  });

const unusableBecause = (child: ChildProcess, cause: Error): DomainError =>
  unavailable('QEMU_UNUSABLE', `Cannot run ${child.spawnfile}: ${cause.message}`, {
    metadata: { program: child.spawnfile, problem: cause.message },
    cause,
  });
