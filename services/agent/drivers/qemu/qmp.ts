/**
 * A client for one QMP connection. Dialling again is the caller's work, because only the caller
 * knows whether the process still lives. qemu serves one client at a time: a second one is accepted
 * by the kernel and never greeted, which shows here as QMP_NO_ANSWER.
 */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../runtime/clock.ts';
import {
  DomainError,
  deadlineExceeded,
  failedPrecondition,
  resourceExhausted,
  unavailable,
} from '../../../runtime/errors.ts';
import { createQmpDecoder, encodeQmpCommand, type QmpEvent, type QmpMessage } from './qmp-codec.ts';
import { within } from './within.ts';

export type QmpExecuteOptions = {
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** How long to wait for the answer; 5000 when absent. */
  readonly limitMs?: number;
  readonly signal?: AbortSignal | undefined;
};

export type QmpClient = {
  /** Of qemu, like "7.2.22". */
  readonly version: string;
  /**
   * The command's return value. Throws failed_precondition QMP_REFUSED with qemu's class and text,
   * unavailable QMP_CLOSED, deadline_exceeded QMP_NO_ANSWER.
   */
  readonly execute: (command: string, options?: QmpExecuteOptions) => Promise<unknown>;
  /** Resolves, never rejects, when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  readonly close: () => void;
};

export type QmpDial = {
  readonly path: string;
  readonly clock: Clock;
  /** For the connection, the greeting and the negotiation together. */
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called in the order of arrival; must not throw. Given here so that no event can be missed. */
  readonly onEvent: (event: QmpEvent) => void;
};

type Waiting = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
};

const LINE_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_MAX = 64;
const ANSWER_LIMIT_MS = 5_000;

/**
 * Throws unavailable QMP_CLOSED when nobody listens, deadline_exceeded QMP_NO_ANSWER when nobody
 * greets.
 */
export const connectQmp = async (dial: QmpDial): Promise<QmpClient> => {
  const connection = openConnection(dial);
  try {
    return await within(
      {
        ...{ clock: dial.clock, limitMs: dial.limitMs, signal: dial.signal },
        expired: () => noAnswer(dial.path, 'the greeting', dial.limitMs),
      },
      async (signal) => {
        const version = await connection.greeting;
        await connection.execute('qmp_capabilities', { limitMs: dial.limitMs, signal });
        return { version, ...connection };
      },
    );
  } catch (error) {
    connection.close();
    throw error;
  }
};

const openConnection = ({ path, clock, onEvent }: QmpDial) => {
  const socket = connect({ path });
  const decoder = createQmpDecoder(LINE_BYTES_MAX);
  const waiting = new Map<number, Waiting>();
  const greeted = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<void>();
  let lastId = 0;
  // Whoever waits for the greeting handles its failure; nobody may be waiting any more.
  greeted.promise.catch(() => undefined);

  const dispatch = (message: QmpMessage): void => {
    switch (message.kind) {
      case 'greeting':
        greeted.resolve(message.version);
        return;
      case 'event':
        onEvent(message);
        return;
      case 'return':
        waiting.get(message.id ?? 0)?.resolve(message.value);
        return;
      case 'error':
        waiting.get(message.id ?? 0)?.reject(refused(message.errorClass, message.description));
    }
  };

  onLines(socket, (chunk) => {
    for (const message of decoder.push(chunk)) dispatch(message);
  });
  socket.on('close', () => {
    const error = unavailable('QMP_CLOSED', `QMP connection to "${path}" closed`, {
      metadata: { path },
      cause: socket.errored,
    });
    greeted.reject(error);
    for (const { reject } of waiting.values()) reject(error);
    ended.resolve();
  });

  const execute: QmpClient['execute'] = async (command, options = {}) => {
    if (socket.destroyed) throw unavailable('QMP_CLOSED', `QMP connection to "${path}" closed`);
    if (waiting.size >= WAITING_MAX) {
      throw resourceExhausted('QMP_BUSY', `${WAITING_MAX} QMP commands wait for "${path}"`);
    }
    lastId += 1;
    const id = lastId;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(id, answer);
    answer.promise.catch(() => undefined);
    const limitMs = options.limitMs ?? ANSWER_LIMIT_MS;
    const expired = () => noAnswer(path, command, limitMs);
    try {
      socket.write(encodeQmpCommand(id, command, options.arguments));
      return await within(
        { clock, limitMs, signal: options.signal, expired },
        () => answer.promise,
      );
    } finally {
      waiting.delete(id);
    }
  };

  return {
    greeting: greeted.promise,
    execute,
    closed: ended.promise,
    close: () => void socket.destroy(),
  };
};

const onLines = (socket: Socket, push: (chunk: Buffer) => void): void => {
  socket.on('data', (chunk: Buffer) => {
    try {
      push(chunk);
    } catch (error) {
      // After one unreadable line the rest cannot be trusted either.
      socket.destroy(error instanceof DomainError ? error : undefined);
    }
  });
  // The close handler reports it.
  socket.on('error', () => undefined);
};

const refused = (errorClass: string, description: string): DomainError =>
  failedPrecondition('QMP_REFUSED', `qemu refused: ${description}`, { metadata: { errorClass } });

const noAnswer = (path: string, what: string, limitMs: number): DomainError =>
  deadlineExceeded('QMP_NO_ANSWER', `No answer to ${what} from "${path}" within ${limitMs} ms`, {
    metadata: { path, what, limitMs: String(limitMs) },
  });
