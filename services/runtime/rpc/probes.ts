import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** What the plain HTTP paths beside the RPCs tell. */
export type Probes = {
  /** Why the process cannot serve now; empty = it can. For /ready. */
  readonly notReady: () => Promise<readonly string[]>;
  /** The text of /metrics; absent = not served here. */
  readonly metrics?: () => Promise<{ readonly text: string; readonly contentType: string }>;
  /** A line or two for somebody who opens the address in a browser. */
  readonly about: string;
};

type Answer = { readonly status: number; readonly text: string; readonly contentType?: string };

/** Answers /, /live, /ready and /metrics; anything else is 404 with a hint. */
export const answerProbe = async (
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  probes: Probes,
): Promise<void> => {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const answer = isRead ? await answerOf(path, probes) : NOT_HERE;
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? '' : answer.text);
};

const NOT_HERE: Answer = {
  status: 404,
  text:
    'No such path. RPCs are POST /<package>.<Service>/<Method>; ' +
    '"buf curl --list-methods" names them.\n',
};

const answerOf = async (path: string, probes: Probes): Promise<Answer> => {
  if (path === '/') return { status: 200, text: `${probes.about}\n` };
  if (path === '/live') return { status: 200, text: 'live\n' };
  if (path === '/ready') return readiness(probes);
  if (path !== '/metrics' || probes.metrics === undefined) return NOT_HERE;
  const { text, contentType } = await probes.metrics();
  return { status: 200, text, contentType };
};

const readiness = async (probes: Probes): Promise<Answer> => {
  const reasons = await probes.notReady();
  return reasons.length === 0
    ? { status: 200, text: 'ready\n' }
    : { status: 503, text: `not ready: ${reasons.join('; ')}\n` };
};
