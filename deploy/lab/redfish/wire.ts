import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, OVER } from '../../../services/runtime/clock.ts';
import type { LabFault } from '../server-port.ts';
import type { LabReply, LabRequest } from './message.ts';
import { refuse } from './message.ts';
import type { RedfishService } from './service.ts';

/** Faults of the wire that only tests ask for. */
export type WireFault =
  /** Half an answer, with the length of half. */
  | 'half-json'
  /** 30 MB of JSON. */
  | 'huge'
  /** Sends everybody to another host. */
  | 'elsewhere';

export type WireFaults = { readonly current: () => LabFault | WireFault | undefined };

export type WireOptions = {
  readonly service: RedfishService;
  readonly faults: WireFaults;
  readonly clock: Clock;
  /** Of every answer, in milliseconds; 0 where absent. */
  readonly latencyMs?: number;
  /** With the fault `slow`; 3 000 where absent. */
  readonly slowMs?: number;
  /** Where `elsewhere` leads. */
  readonly elsewhere?: string;
  /** Called with each request that comes in. */
  readonly heard?: (request: LabRequest) => void;
};

const BODY_BYTES_MAX = 1024 * 1024;
const SLOW_MS = 3_000;
const HUGE_BYTES = 30_000_000;

/** HTTP around a service, and what goes wrong there on demand. */
export const createWire = (options: WireOptions) => {
  let turn = 0;
  return async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    turn += 1;
    const fault = options.faults.current();
    const gone = new AbortController();
    outgoing.once('close', () => gone.abort(OVER));
    if (fault === 'flap' && turn % 2 === 1) return void incoming.socket.destroy();
    if (fault === 'hang') return;
    const delayMs = fault === 'slow' ? (options.slowMs ?? SLOW_MS) : (options.latencyMs ?? 0);
    if (delayMs > 0 && !(await slept(options.clock, delayMs, gone.signal))) return;
    const text = await bodyOf(incoming);
    if (text === undefined) return send(outgoing, refuse(413, 'MalformedJSON'));
    const request = requestOf(incoming, text);
    if (request === undefined) return send(outgoing, refuse(400, 'MalformedJSON'));
    options.heard?.(request);
    if (sendFault(outgoing, fault, options)) return;
    const reply = await options.service.answer(request);
    if (reply.stream !== undefined) openStream(incoming, outgoing, reply.stream);
    else send(outgoing, reply, { fault, isHead: incoming.method === 'HEAD' });
  };
};

/** Whoever does not read what is sent has it cut off. */
const UNREAD_BYTES_MAX = 256 * 1024;

/** Server-sent events, for as long as the connection lasts. */
const openStream = (
  { socket }: IncomingMessage,
  outgoing: ServerResponse,
  stream: NonNullable<LabReply['stream']>,
): void => {
  const stop = stream({
    from: `${socket.remoteAddress}:${socket.remotePort}`,
    end: () => outgoing.end(),
    send: (text) => {
      if (outgoing.writableLength > UNREAD_BYTES_MAX) outgoing.destroy();
      else outgoing.write(text);
    },
  });
  if (stop === undefined) {
    send(outgoing, refuse(503, 'CreateLimitReachedForResource'));
    return;
  }
  outgoing.once('close', stop);
  outgoing.writeHead(200, {
    ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
    'odata-version': '4.0',
  });
  outgoing.flushHeaders();
};

const slept = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> =>
  clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );

/** Undefined = it is too long. */
const bodyOf = async (incoming: IncomingMessage): Promise<string | undefined> => {
  if (incoming.method === 'GET' || incoming.method === 'HEAD') return '';
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of incoming) {
    const bytes: unknown = part;
    if (!(bytes instanceof Uint8Array)) continue;
    size += bytes.length;
    if (size > BODY_BYTES_MAX) return undefined;
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
};

/** Undefined = its body is no JSON. */
const requestOf = (incoming: IncomingMessage, text: string): LabRequest | undefined => {
  const [path = '', query = ''] = (incoming.url ?? '/').split('?', 2);
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value ?? '')]),
  );
  try {
    return {
      method: incoming.method ?? 'GET',
      path: decodeURIComponent(path).replace(/(?<=.)\/+$/, ''),
      query: new URLSearchParams(query),
      headers,
      body: text.trim() === '' ? undefined : JSON.parse(text),
    };
  } catch {
    return undefined;
  }
};

/** True where a fault has answered. */
const sendFault = (
  outgoing: ServerResponse,
  fault: LabFault | WireFault | undefined,
  { elsewhere = '' }: WireOptions,
): boolean => {
  if (fault === '503') {
    send(
      outgoing,
      refuse(503, 'ServiceTemporarilyUnavailable', { headers: { 'retry-after': '5' } }),
    );
  } else if (fault === 'html') {
    outgoing.writeHead(200, { 'content-type': 'text/html' });
    outgoing.end('<!DOCTYPE html><title>Sign in</title><h1>Management console</h1>');
  } else if (fault === 'elsewhere') {
    outgoing.writeHead(307, { location: elsewhere });
    outgoing.end();
  } else if (fault === 'huge') {
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    outgoing.end(`{"Name":"${'x'.repeat(HUGE_BYTES)}"}`);
  } else return false;
  return true;
};

type Sending = { readonly fault: LabFault | WireFault | undefined; readonly isHead: boolean };

const send = (
  outgoing: ServerResponse,
  { status, headers = {}, body, json }: LabReply,
  { fault, isHead }: Sending = { fault: undefined, isHead: false },
): void => {
  const all: Record<string, string> = {
    'odata-version': '4.0',
    'cache-control': 'no-cache',
    ...headers,
  };
  if (body === undefined) {
    outgoing.writeHead(
      status,
      status === 204 || status === 304 ? all : { ...all, 'content-length': '0' },
    );
    outgoing.end();
    return;
  }
  const whole = typeof body === 'string' ? body : (json ?? JSON.stringify(body));
  const text = fault === 'half-json' ? whole.slice(0, Math.floor(whole.length / 2)) : whole;
  all['content-type'] =
    typeof body === 'string' ? 'application/xml;charset=utf-8' : 'application/json;charset=utf-8';
  all['content-length'] = String(Buffer.byteLength(text));
  outgoing.writeHead(status, all);
  outgoing.end(isHead ? undefined : text);
};
