import { spawn } from 'node:child_process';
import { once } from 'node:events';

export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly args: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
};

const LIMIT_MS = 180_000;

/** Runs a program to its end, at most three minutes; -1 for one that was ended by a signal. */
export const run = async (
  path: string,
  { args, env = {}, cwd, stdin = '' }: RunOptions,
): Promise<Ended> => {
  const child = spawn(path, args, {
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
    timeout: LIMIT_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (part: Buffer) => {
    stdout += part.toString();
  });
  child.stderr.on('data', (part: Buffer) => {
    stderr += part.toString();
  });
  // A program that ends early does not read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [code] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : -1, stdout, stderr };
};
