import { lookup } from 'node:dns/promises';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

export type Posting = {
  readonly url: URL;
  readonly body: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Whether the certificate must be one that this host trusts. */
  readonly verifies: boolean;
  readonly signal: AbortSignal;
};

/**
 * Sends a body to a program on this host, and answers with which status it took it. Nothing leaves
 * the host: whoever may subscribe at a controller of the lab makes it reach no further than it is
 * reached. Redirects are not followed.
 */
export const post = async (posting: Posting): Promise<number> => {
  const { url } = posting;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const { address } = isIP(host) === 0 ? await lookup(host) : { address: host };
  if (!isOfThisHost(address)) throw new Error(`${host} is no address of this host`);
  return await send(posting, address);
};

const send = (
  { url, body, headers, verifies, signal }: Posting,
  address: string,
): Promise<number> => {
  const isTls = url.protocol === 'https:';
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sending = (isTls ? tlsRequest : plainRequest)({
    ...{ method: 'POST', host: address, agent: false, signal },
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    ...(url.username === '' ? {} : { auth: `${url.username}:${url.password}` }),
    rejectUnauthorized: verifies,
    ...(isTls && isIP(url.hostname) === 0 ? { servername: url.hostname } : {}),
    headers: {
      ...Object.fromEntries(headers),
      host: url.host,
      'content-type': 'application/json;charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'odata-version': '4.0',
    },
  });
  sending.once('response', (answer) => {
    answer.once('error', () => undefined);
    answer.resume();
    resolve(answer.statusCode ?? 0);
  });
  sending.on('error', reject);
  sending.end(body);
  return promise;
};

const isOfThisHost = (address: string): boolean =>
  /^(?:127\.|::1$|::ffff:127\.)/.test(address) ||
  Object.values(networkInterfaces())
    .flatMap((own) => own ?? [])
    .some((own) => own.address === address);
