import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of a bench that answers what it is asked (serve-parent.ts is its side). */
export type Child = AsyncDisposable & {
  readonly pid: number;
  /**
   * Asks and waits for the answer; rejects with the child's error, at its death and after the
   * limit.
   */
  readonly ask: <Answer>(verb: string, args?: object, limitMs?: number) => Promise<Answer>;
};

const ANSWER_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;

/**
 * Starts a TypeScript file of this folder, named by its URL relative to it ("limits/echo.ts").
 * `env` is added to our environment.
 */
export const startChild = (file: string, env: Readonly<Record<string, string>> = {}): Child => {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [path], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let count = 0;
  return {
    pid: child.pid ?? 0,
    ask: <Answer>(verb: string, args: object = {}, limitMs = ANSWER_LIMIT_MS) => {
      count += 1;
      const question = { id: count, verb, args };
      return answerTo<Answer>(child, { file, question, limitMs });
    },
    [Symbol.asyncDispose]: () => stop(child),
  };
};

type Question = { readonly id: number; readonly verb: string; readonly args: object };
type Asked = { readonly file: string; readonly question: Question; readonly limitMs: number };

const answerTo = <Answer>(
  child: ChildProcess,
  { file, question, limitMs }: Asked,
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
    };
    const fail = (why: string) => {
      end();
      reject(new Error(`${file}: ${question.verb} ${why}`));
    };
    const timer = setTimeout(() => fail(`took longer than ${limitMs} ms`), limitMs);
    const onExit = (code: number | null) => fail(`ended the process (${code})`);
    const onMessage = (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('id' in message)) return;
      if (message.id !== question.id) return;
      if ('error' in message) return fail(`failed: ${String(message.error)}`);
      end();
      resolve(('value' in message ? message.value : undefined) as Answer);
    };
    child.on('message', onMessage).once('exit', onExit);
    if (child.connected) child.send(question);
    else fail('came after the end of the process');
  });

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  if (child.connected) child.disconnect();
  await exited;
  clearTimeout(force);
};
