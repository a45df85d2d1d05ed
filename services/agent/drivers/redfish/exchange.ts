import { BmcError } from '../../bmc-port.ts';
import { wasCutOff } from './connection-faults.ts';
import type { Reply, Request, Transport } from './transport.ts';

/** One Redfish request and its answer: links of one origin only, JSON only, redirects followed. */
export type Call = {
  readonly method: Request['method'];
  /** As a resource named it: a path, or a URL of the same origin. */
  readonly link: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined = there was none, or it was no JSON though the call failed anyway. */
  readonly body: unknown;
  readonly text: string;
};

export type Exchange = {
  readonly send: (call: Call, signal: AbortSignal) => Promise<Answer>;
  /** Path of a link; throws where it leads to another host. */
  readonly pathOf: (link: string) => string;
};

const REDIRECTS_MAX = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export const createExchange = (transport: Transport, origin: string): Exchange => {
  const pathOf = (link: string): string => pathAt(origin, link);
  const send = async (call: Call, signal: AbortSignal): Promise<Answer> => {
    let path = pathOf(call.link);
    for (let turn = 0; turn <= REDIRECTS_MAX; turn += 1) {
      const request = requestOf(call, path);
      const reply = await sendTwice(transport, request, signal);
      const location = reply.headers.location ?? '';
      if (!REDIRECTS.has(reply.status)) return answerOf(request, reply);
      if (location === '') throw redirected(request, 'without saying where to');
      const isSafe = call.method === 'GET' || reply.status === 307 || reply.status === 308;
      if (!isSafe)
        throw redirected(request, `with ${reply.status}, which would drop what was sent`);
      path = pathAt(origin, new URL(location, `${origin}${path}`).href);
    }
    throw redirected(requestOf(call, path), `more than ${REDIRECTS_MAX} times`);
  };
  return { send, pathOf };
};

/**
 * A connection that was idle may be closed by the other side just when the next call is written.
 * Reading again is harmless; of a write nobody knows whether it took effect, so it is not repeated.
 */
const sendTwice = async (
  transport: Transport,
  request: Request,
  signal: AbortSignal,
): Promise<Reply> => {
  try {
    return await transport.send(request, signal);
  } catch (error) {
    if (request.method !== 'GET' || !wasCutOff(error) || signal.aborted) throw error;
    return transport.send(request, signal);
  }
};

const requestOf = ({ method, body, headers }: Call, path: string): Request => ({
  method,
  path,
  headers: {
    accept: 'application/json',
    'odata-version': '4.0',
    // Compressed answers come with weak tags, which not all take back.
    'accept-encoding': 'identity',
    'user-agent': 'runmachine',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  },
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
});

const pathAt = (origin: string, link: string): string => {
  if (!URL.canParse(link, origin)) {
    throw new BmcError('protocol', `The BMC named a link that is none: "${link.slice(0, 200)}"`);
  }
  const url = new URL(link, origin);
  if (url.origin === origin) return `${url.pathname}${url.search}`;
  throw new BmcError(
    'protocol',
    `The BMC at ${origin} leads to ${url.origin}, where nothing is sent. ` +
      'If that is its right address, record it as such',
  );
};

const redirected = ({ method, path }: Request, how: string): BmcError =>
  new BmcError('protocol', `${method} ${path} was redirected ${how}`);

const answerOf = (request: Request, { status, headers, body: text }: Reply): Answer => {
  if (text.trim() === '') return { status, headers, body: undefined, text };
  const body = jsonOf(text, headers['content-type'] ?? '');
  if (body.kind === 'json' || status >= 400) {
    const known = body.kind === 'json' ? body.value : undefined;
    return { status, headers, body: known, text };
  }
  throw new BmcError(
    'protocol',
    `${request.method} ${request.path} was answered with ${status} and ${body.why}`,
  );
};

type Parsed =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'other'; readonly why: string };

const jsonOf = (text: string, contentType: string): Parsed => {
  try {
    // Some call it a text.
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
    const isJson = type === '' || type === 'application/json' || type.endsWith('+json');
    if (!isJson) return { kind: 'other', why: `a body of type "${type}" where JSON is due` };
    const end = text.trim().slice(-40);
    return { kind: 'other', why: `JSON that cannot be read; it ends with "${end}"` };
  }
};
