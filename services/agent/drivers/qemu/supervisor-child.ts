/**
 * qemu as a child in a session of its own: neither Ctrl-C in our terminal nor our death reaches it.
 * The next agent finds it by its record.
 */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { type DomainError, unavailable } from '../../../runtime/errors.ts';
import { identifyProcess, isRunning, signalProcess } from './process.ts';
import { programEnvironment } from './program.ts';
import type { Launch, Launched, Supervisor } from './supervisor.ts';

export const createChildSupervisor = (): Supervisor => ({
  start: async (launch, signal) => {
    signal?.throwIfAborted();
    const output = await open(launch.outputPath, 'w', 0o600);
    try {
      return await spawnDetached(launch, output.fd);
    } finally {
      await output.close();
    }
  },
  isRunning,
  kill: async (identity) => {
    await signalProcess(identity, 'SIGKILL');
  },
});

/**
 * The last `bytesMax` bytes that a launched program wrote, as one trimmed text; empty when there is
 * nothing.
 */
export const outputTail = async (outputPath: string, bytesMax = 2_000): Promise<string> => {
  const output = await readFile(outputPath).catch(() => Buffer.alloc(0));
  return output
    .subarray(Math.max(0, output.length - bytesMax))
    .toString('utf8')
    .trim();
};

export const startFailed = (launch: Launch, why: string, cause?: unknown): DomainError =>
  unavailable('QEMU_START_FAILED', `Cannot start guest "${launch.name}": ${why}`, {
    metadata: { name: launch.name, program: launch.program.path },
    cause,
  });

const spawnDetached = async (launch: Launch, outputFd: number): Promise<Launched> => {
  const { program } = launch;
  const child = spawn(program.path, [...program.args, ...launch.arguments], {
    detached: true,
    stdio: ['ignore', outputFd, outputFd],
    env: programEnvironment(program),
  });
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(startFailed(launch, cause.message, cause)));
  });
  // Our event loop need not stay alive for it.
  child.unref();
  const identity = child.pid === undefined ? null : await identifyProcess(child.pid);
  if (identity === null) {
    const how = await exited;
    throw startFailed(launch, `${how}: ${await outputTail(launch.outputPath)}`);
  }
  return { identity, exited };
};
