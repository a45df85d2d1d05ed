import { connect } from 'node:net';
import type { Context } from '../../command.ts';
import { UsageError } from '../../usage-error.ts';

/** What the lab said, or that nobody is there to say anything. */
export type LabReply =
  | { readonly kind: 'answer'; readonly answer: Readonly<Record<string, unknown>> }
  | { readonly kind: 'unreachable'; readonly why: string };

const LIMIT_MS = 10_000;
const ANSWER_CHARACTERS_MAX = 1024 * 1024;

/**
 * Asks the lab on this machine through its socket, which only the user who started it may open. One
 * line of JSON each way; see deploy/lab/control-protocol.ts.
 */
export const askLab = async (context: Context, request: object): Promise<LabReply> => {
  const path = context.settings.labSocket;
  if (path === undefined) {
    throw new UsageError(
      `profile "${context.settings.profile}" names no lab on this machine`,
      '`npm start` brings one up and names it in the profile "local"; or set RUNM_LAB_SOCKET',
    );
  }
  const over = new AbortController();
  const late = context.clock.sleep(LIMIT_MS, AbortSignal.any([over.signal, context.signal]));
  try {
    const line = await Promise.race([
      exchange(path, `${JSON.stringify(request)}\n`, over.signal),
      late.then(() => undefined),
    ]);
    if (line === undefined) return { kind: 'unreachable', why: `no answer from ${path}` };
    return { kind: 'answer', answer: objectOf(line) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isConnectFailure(error)) throw error;
    return { kind: 'unreachable', why: `nobody listens on ${path}` };
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
};

/** The message of a refusal; undefined when it is none. */
export const refusalOf = (answer: Readonly<Record<string, unknown>>): string | undefined =>
  answer.kind === 'error' ? String(answer.message) : undefined;

const exchange = (path: string, line: string, signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ path });
    let text = '';
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(line));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > ANSWER_CHARACTERS_MAX) socket.destroy(new Error('the answer is too long'));
    });
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the lab hung up')));
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
  });

const objectOf = (line: string): Readonly<Record<string, unknown>> => {
  const value: unknown = JSON.parse(line);
  if (typeof value === 'object' && value !== null) return { ...value };
  throw new Error('the lab answered something else than an object');
};

const isConnectFailure = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EACCES'].includes(String(error.code));
