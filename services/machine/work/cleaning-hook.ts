/**
 * What cleans a server after a claim on it: a command of this host or a webhook, until a RAM disk
 * of ours does it. It gets the provider, the claim and the facts as JSON, and its success is what
 * frees the server, so whatever is not clearly a success is a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Agent, request } from 'undici';
import { type Clock, nextTurn, OVER } from '../../runtime/clock.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { systemRandom } from '../../runtime/random.ts';
import { endStrays, GUARD, GUARDED } from './cleaning-strays.ts';
import { readSecret } from './sink-secret.ts';
import { sign } from './webhook.ts';

export type CleaningConfig = {
  /** Program and arguments; the JSON comes on its standard input. Empty: none. */
  readonly command: readonly string[];
  /** Where the JSON is posted. Empty: nowhere. */
  readonly webhook: string;
  /** File (mode 0600) with the secret that signs what is posted. Empty: it is not signed. */
  readonly secretFile: string;
  /** What a cleaning may take. */
  readonly timeoutMs: number;
};

export type CleaningOrder = {
  /** The same for every try of one cleaning. */
  readonly id: string;
  readonly body: string;
};

export type Cleaned =
  | { readonly kind: 'clean' }
  | { readonly kind: 'failed'; readonly message: string }
  /** It has certainly not begun. */
  | { readonly kind: 'later'; readonly message: string };

export type CleaningHook = {
  readonly timeoutMs: number;
  /** What a run may take to end once it was told to. */
  readonly endMs: number;
  readonly run: (order: CleaningOrder, signal: AbortSignal) => Promise<Cleaned>;
  /** Ends what a former life of this service and its guards left running here. */
  readonly endLeft: () => Promise<void>;
};

export const NO_CLEANING: CleaningConfig = {
  command: [],
  webhook: '',
  secretFile: '',
  timeoutMs: 30 * 60_000,
};

/** Undefined: nothing is configured. Errors: invalid_argument, and those of readSecret. */
export const createCleaningHook = async (
  clock: Clock,
  config: CleaningConfig,
): Promise<CleaningHook | undefined> => {
  const { command, webhook, secretFile, timeoutMs } = config;
  if (command.length > 0 && webhook !== '') {
    throw wrong('cleaning', 'names a command and a webhook; one of them cleans');
  }
  if (timeoutMs < 1_000) throw wrong('cleaning.timeout', 'must be at least a second');
  if (command.length > 0) {
    return {
      timeoutMs,
      // The command under its guard, then what a guard that was killed left.
      endMs: 2 * (KILL_MS + GUARD_MS),
      run: (order, signal) => runCommand(clock, config, { order, signal }),
      endLeft: () => endStrays(clock, { graceMs: KILL_MS }),
    };
  }
  if (webhook === '') return undefined;
  if (!URL.canParse(webhook)) throw wrong('cleaning.webhook', 'is no URL');
  if (secretFile !== '') await readSecret(secretFile);
  return {
    timeoutMs,
    endMs: 0,
    run: (order, signal) => post(clock, config, { order, signal }),
    endLeft: async () => undefined,
  };
};

const wrong = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });

type Running = { readonly order: CleaningOrder; readonly signal: AbortSignal };

const KILL_MS = 10_000;
/** What the guard may need to see that everything is gone. */
const GUARD_MS = 5_000;
/** What is left to be read when nobody writes any more. */
const HEARD_MS = 2_000;
const SHOWN = 500;

/**
 * The guard ends the command in its time, and soon after this process where that dies. Nothing of
 * it is left when this answers, whatever it began, also where the guard was killed.
 */
const runCommand = async (
  clock: Clock,
  { command, timeoutMs }: CleaningConfig,
  { order, signal }: Running,
): Promise<Cleaned> => {
  const limits = [String(timeoutMs), String(KILL_MS)];
  const run = systemRandom.requestId();
  const child = spawn(process.execPath, ['--no-warnings', GUARD, ...limits, ...command], {
    detached: true,
    // The last ends with this process, however that ends.
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, RUNM_CLEANING: order.id, [GUARDED]: run },
  });
  let said = '';
  const listen = (data: Buffer) => {
    said = (said + data.toString('utf8')).slice(-SHOWN);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  child.stdio[3]?.on('error', () => undefined);
  // A command that does not read its input closes it; how it ends is what counts.
  child.stdin.on('error', () => undefined);
  child.stdin.end(order.body);
  const ended = new Promise<Cleaned>((resolve) => {
    child.once('error', (error) => resolve({ kind: 'later', message: error.message }));
    child.once('exit', async (code, by) => {
      await leaveNothing(clock, child, run);
      resolve(commandEnd({ code, by, said: said.trim() }));
    });
  });
  // Never worse than SIGTERM: without its guard the command would go on.
  const onAbort = () => child.kill('SIGTERM');
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await ended;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
};

/** After the guard, which leaves nothing unless it was killed. */
const leaveNothing = async (clock: Clock, child: ChildProcess, run: string): Promise<void> => {
  const heard = new AbortController();
  child.once('close', () => heard.abort(OVER));
  await endStrays(clock, { run, isGuardGone: true, graceMs: KILL_MS });
  await clock.sleep(HEARD_MS, heard.signal).catch(() => undefined);
  // After a stall of ours what it said may lie here unread.
  await nextTurn();
  // Whoever cannot be ended may hold what is read here, and does not hold up the rest.
  child.stdout?.destroy();
  child.stderr?.destroy();
};

type End = { readonly code: number | null; readonly by: string | null; readonly said: string };

/** Of the guard: it ended the command itself. */
const TIMED_OUT = 124;

const commandEnd = ({ code, by, said }: End): Cleaned => {
  if (code === 0) return { kind: 'clean' };
  const how =
    code === TIMED_OUT
      ? 'did not end in its time'
      : by === null
        ? `ended with ${code}`
        : `was killed by ${by}`;
  const text = said === '' ? 'it said nothing' : `it said: ${said}`;
  return { kind: 'failed', message: `The cleaning command ${how}; ${text}` };
};

/** What a host that nobody listens on answers: nothing has begun there. */
const NOT_BEGUN = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

const post = async (
  clock: Clock,
  { webhook, secretFile, timeoutMs }: CleaningConfig,
  { order, signal }: Running,
): Promise<Cleaned> => {
  const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const dispatcher = new Agent({ ...limits, connect: { timeout: KILL_MS } });
  try {
    const { statusCode, body } = await request(webhook, {
      method: 'POST',
      dispatcher,
      headers: await headersOf(clock, secretFile, order),
      body: order.body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await beginningOf(body);
    if (statusCode >= 200 && statusCode < 300) return { kind: 'clean' };
    return { kind: 'failed', message: `The cleaning webhook answered ${statusCode}: ${text}` };
  } catch (error) {
    if (signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const kind = NOT_BEGUN.has(code) ? 'later' : 'failed';
    return { kind, message: `The cleaning webhook cannot be asked: ${message}` };
  } finally {
    await dispatcher.destroy();
  }
};

const headersOf = async (clock: Clock, secretFile: string, { id, body }: CleaningOrder) => {
  const seconds = String(Math.floor(clock.now().getTime() / 1_000));
  const base = {
    'content-type': 'application/json',
    'user-agent': 'runmachine',
    'webhook-id': id,
    'webhook-timestamp': seconds,
  };
  if (secretFile === '') return base;
  const secret = await readSecret(secretFile);
  return { ...base, 'webhook-signature': `v1,${sign(secret, `${id}.${seconds}.${body}`)}` };
};

/** An answer may be endless; its beginning is enough. */
const beginningOf = async (body: AsyncIterable<Buffer>): Promise<string> => {
  let text = '';
  for await (const chunk of body) {
    text += chunk.toString('utf8');
    if (text.length >= SHOWN) break;
  }
  return text.slice(0, SHOWN);
};
