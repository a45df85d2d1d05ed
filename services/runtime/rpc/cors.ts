import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { cors } from '@connectrpc/connect';
import { REQUEST_ID } from './on-behalf-of.ts';

const ALLOWED_HEADERS = [...cors.allowedHeaders, 'Authorization', 'X-Request-Id'].join(', ');
const EXPOSED_HEADERS = [...cors.exposedHeaders, REQUEST_ID].join(', ');
const ALLOWED_METHODS = cors.allowedMethods.join(', ');
const MAX_AGE_S = 7200;

/**
 * Lets pages of the listed origins call us, and answers their preflight. True: the request is
 * answered. A page of another origin gets no permission from the preflight, and its browser sends
 * nothing more.
 */
export const answerCors = (
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  origins: ReadonlySet<string>,
): boolean => {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  const isPreflight =
    request.method === 'OPTIONS' && 'access-control-request-method' in request.headers;
  response.setHeader('vary', 'Origin');
  if (!origins.has(origin)) {
    if (!isPreflight) return false;
    response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' });
    response.end('This origin is not among the allowed ones (setting people.origins)\n');
    return true;
  }
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', EXPOSED_HEADERS);
  if (!isPreflight) return false;
  response.writeHead(204, {
    'access-control-allow-methods': ALLOWED_METHODS,
    'access-control-allow-headers': ALLOWED_HEADERS,
    'access-control-max-age': String(MAX_AGE_S),
  });
  response.end();
  return true;
};
