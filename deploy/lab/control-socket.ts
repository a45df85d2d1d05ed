import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Clock } from '../../services/runtime/clock.ts';
import { alreadyExists } from '../../services/runtime/errors.ts';
import { CONTROL_LINE_MAX, type ControlAnswer, type ControlRequest } from './control-protocol.ts';
import { faultOf, LAB_FAULTS } from './fault-switch.ts';

export type ControlSocket = { readonly close: () => Promise<void> };

export type ControlSocketDeps = {
  readonly path: string;
  readonly clock: Clock;
  readonly answer: (request: ControlRequest) => ControlAnswer | Promise<ControlAnswer>;
};

const LINE_LIMIT_MS = 5_000;
const CONNECTIONS_MAX = 16;

/** Replaces a socket that a killed lab left; the state directory's lock keeps a living one. */
export const openControlSocket = async (deps: ControlSocketDeps): Promise<ControlSocket> => {
  const { path } = deps;
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(socket, deps);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(alreadyExists('LAB_SOCKET', `Cannot listen on "${path}"`, { cause })),
    );
    server.listen({ path }, resolve);
  });
  // The directory is private as well; this holds where somebody made it before us.
  chmodSync(path, 0o600);
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
};

const serve = (socket: Socket, { clock, answer }: ControlSocketDeps): void => {
  const over = new AbortController();
  let text = '';
  clock.sleep(LINE_LIMIT_MS, over.signal).then(
    () => socket.destroy(),
    () => undefined,
  );
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.once('close', () => over.abort());
  const reply = (of: ControlAnswer) => socket.end(`${JSON.stringify(of)}\n`);
  socket.on('data', (chunk: string) => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end < 0 && text.length <= CONTROL_LINE_MAX) return;
    socket.removeAllListeners('data').resume();
    over.abort();
    if (end < 0 || end > CONTROL_LINE_MAX) reply(refusal('the request is too long'));
    else void answerTo(text.slice(0, end), answer).then(reply);
  });
};

const answerTo = async (
  line: string,
  answer: ControlSocketDeps['answer'],
): Promise<ControlAnswer> => {
  try {
    const request = requestOf(JSON.parse(line));
    return 'kind' in request ? request : await answer(request);
  } catch (error) {
    return refusal(error instanceof Error ? error.message : String(error));
  }
};

const requestOf = (value: unknown): ControlRequest | ControlAnswer => {
  if (typeof value !== 'object' || value === null || !('verb' in value)) {
    return refusal('the request has no "verb"');
  }
  if (value.verb === 'status') return { verb: 'status' };
  if (value.verb !== 'fault' && value.verb !== 'wipe') {
    return refusal('"verb" is none of "status", "fault" and "wipe"');
  }
  const server = 'server' in value ? value.server : undefined;
  if (typeof server !== 'string') return refusal('"server" is missing');
  if (value.verb === 'wipe') return { verb: 'wipe', server };
  const word = 'fault' in value ? String(value.fault) : '';
  const fault = word === 'none' ? word : faultOf(word);
  if (fault !== undefined) return { verb: 'fault', server, fault };
  return refusal(`"fault" is none of ${[...LAB_FAULTS, 'none'].join(', ')}`);
};

const refusal = (message: string): ControlAnswer => ({ kind: 'error', message });
