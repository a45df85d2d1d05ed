import { spawn } from 'node:child_process';

export type CommandResult = {
  /** 127 when the program could not be started, 128 and more when it was ended by a signal. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type CommandOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  /** Shows the output to people instead of collecting it. */
  readonly inherit?: boolean;
  /** Only root may be somebody else. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
};

const OUTPUT_CHARACTERS_MAX = 64 * 1024 * 1024;

/**
 * Runs a program to its end without a shell. Answers the exit code; throws only when `signal`
 * aborts.
 */
export const runCommand = async (
  path: string,
  args: readonly string[],
  { cwd, env, limitMs, signal, inherit = false, runAs }: CommandOptions,
): Promise<CommandResult> => {
  signal?.throwIfAborted();
  const limit = AbortSignal.timeout(limitMs);
  const child = spawn(path, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    ...runAs,
    stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    killSignal: 'SIGKILL',
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const exitCode = await new Promise<number>((resolve) => {
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
      if (child.pid === undefined) resolve(127);
    });
    child.once('close', (code) => resolve(code ?? (failure === undefined ? 128 : 124)));
  });
  signal?.throwIfAborted();
  const late = limit.aborted ? `${path} did not end within ${limitMs} ms\n` : '';
  const absent = exitCode === 127 ? `${path} could not be started\n` : '';
  return { exitCode, stdout: stdout(), stderr: `${stderr()}${late}${absent}` };
};

const collect = (stream: NodeJS.ReadableStream | null): (() => string) => {
  const parts: Buffer[] = [];
  let length = 0;
  stream?.on('data', (part: Buffer) => {
    length += part.length;
    if (length <= OUTPUT_CHARACTERS_MAX) parts.push(part);
  });
  return () => Buffer.concat(parts).toString('utf8');
};
