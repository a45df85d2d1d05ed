import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { buildConnector, Client } from 'undici';
import { BmcError } from '../../bmc-port.ts';
import { CONTROLLER_TLS } from '../controller-tls.ts';
import { faultOfConnection } from './connection-faults.ts';

/**
 * HTTP to one controller: one connection, one call at a time, nothing larger than a bound, nothing
 * sent before the certificate was looked at. Knows nothing of Redfish.
 */
export type Request = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

export type Reply = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Transport = {
  readonly send: (request: Request, signal: AbortSignal) => Promise<Reply>;
  /** SHA-256 of the certificate that was shown; empty before the first call and without TLS. */
  readonly certificateSha256: () => string;
  /** After the last answer. */
  readonly close: () => Promise<void>;
  /** At once, whatever is under way. */
  readonly destroy: () => Promise<void>;
};

export type TransportOptions = {
  readonly origin: string;
  readonly provider: string;
  /** Empty: the first that is seen, then no other. */
  readonly certificateSha256: string;
};

/** A system with 64 disks and its firmware list is below 1 MiB, also where it is expanded. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Without a byte. Controllers that list their whole inventory take 20 s for one resource. */
const SILENT_MS_MAX = 60_000;
const CONNECT_MS_MAX = 10_000;

export const createTransport = (options: TransportOptions): Transport => {
  const pin = { sha256: options.certificateSha256.toLowerCase() };
  const client = new Client(options.origin, {
    connect: connectorOf(options, pin),
    allowH2: false,
    pipelining: 1,
    headersTimeout: SILENT_MS_MAX,
    bodyTimeout: SILENT_MS_MAX,
    keepAliveTimeout: 30_000,
  });
  const once = (request: Request, signal: AbortSignal) =>
    sendOnce(client, request, signal).catch((error: unknown) => {
      throw faultOfConnection(error, { ...options, signal, request });
    });
  return {
    send: once,
    certificateSha256: () => (options.origin.startsWith('https:') ? pin.sha256 : ''),
    close: () => client.close(),
    destroy: () => client.destroy(),
  };
};

const sendOnce = async (client: Client, request: Request, signal: AbortSignal): Promise<Reply> => {
  const { method, path, headers, body } = request;
  const reply = await client.request({ method, path, headers, body: body ?? null, signal });
  const announced = Number(reply.headers['content-length'] ?? 0);
  if (announced > BODY_BYTES_MAX) {
    const error = tooLarge(request, `${announced} bytes`);
    reply.body.on('error', () => undefined).destroy(error);
    throw error;
  }
  const bytes = await bounded(reply.body, request);
  const flat = flatHeaders(reply.headers);
  const isPacked = PACKED.test(flat['content-encoding'] ?? '');
  const whole = isPacked ? await unpacked(bytes, request) : bytes;
  return { status: reply.statusCode, headers: flat, body: whole.toString('utf8') };
};

/** Some compress whatever they are asked for. */
const PACKED = /^(?:x-gzip|gzip|deflate)$/i;

const unpack = promisify<Buffer, { readonly maxOutputLength: number }, Buffer>(unzip);

const unpacked = async (bytes: Buffer, request: Request): Promise<Buffer> => {
  if (bytes.length === 0) return bytes;
  try {
    return await unpack(bytes, { maxOutputLength: BODY_BYTES_MAX });
  } catch (cause) {
    const isLarge =
      cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    if (isLarge) throw tooLarge(request, 'when it is unpacked');
    const { method, path } = request;
    const words = `${method} ${path} was answered with what cannot be unpacked`;
    throw new BmcError('protocol', words, [], cause);
  }
};

/** By events: an asynchronous iterator costs as much as the rest of a small call. */
const bounded = (stream: Readable, request: Request): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    stream.on('data', (part: Buffer) => {
      size += part.length;
      if (size > BODY_BYTES_MAX) stream.destroy(tooLarge(request, 'it goes on beyond that'));
      else parts.push(part);
    });
    stream.once('end', () => resolve(Buffer.concat(parts)));
    stream.once('error', reject);
  });

const tooLarge = ({ method, path }: Request, size: string): BmcError =>
  new BmcError(
    'protocol',
    `${method} ${path} was answered with more than ${BODY_BYTES_MAX} bytes (${size})`,
  );

const flatHeaders = (
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), flatValue(name, value)]),
  );

/** Some send their tag twice (OpenBMC), and take one of them back. */
const flatValue = (name: string, value: string | string[] | undefined): string => {
  if (!Array.isArray(value)) return value ?? '';
  return name.toLowerCase() === 'etag' ? (value[0] ?? '') : value.join(', ');
};

type Pin = { sha256: string };

/**
 * The names in certificates of controllers are rarely right and their authority is themselves, so
 * the certificate itself is what is known of them. It is compared before a connection is used:
 * whoever shows another one is sent nothing.
 */
const connectorOf = (
  { provider }: TransportOptions,
  pin: Pin,
): ReturnType<typeof buildConnector> => {
  const connect = buildConnector({
    ...CONTROLLER_TLS,
    timeout: CONNECT_MS_MAX,
    allowH2: false,
    // A resumed session shows no certificate.
    maxCachedSessions: 0,
  });
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      const problem = socket instanceof TLSSocket ? mismatch(socket, pin, provider) : undefined;
      if (problem === undefined) return callback(null, socket);
      socket.destroy();
      callback(problem, null);
    });
};

const mismatch = (socket: TLSSocket, pin: Pin, provider: string): BmcError | undefined => {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) {
    return new BmcError('certificate', `BMC of provider "${provider}" shows no certificate`);
  }
  const sha256 = createHash('sha256').update(shown.raw).digest('hex');
  if (pin.sha256 === '') pin.sha256 = sha256;
  if (pin.sha256 === sha256) return undefined;
  return new BmcError(
    'certificate',
    `BMC of provider "${provider}" shows certificate ${sha256}, expected ${pin.sha256}. ` +
      'If it was replaced on purpose, record the new one; no credential was sent',
  );
};
