import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { unavailable } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';

/** What a guest says of itself when it posts its boot token. */
export type PhoneHome = {
  readonly bootId: string;
  readonly kernelRelease: string;
  readonly hostname: string;
};

export type PhoneHomeDeps = {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /**
   * SHA-256 of the posted token in hexadecimal; false when no boot has it. Repeats of the same boot
   * succeed.
   */
  readonly accept: (tokenHash: string, report: PhoneHome) => boolean;
  readonly log: Logger;
};

const BODY_BYTES_MAX = 4096;
const FIELD_MAX = 128;

/**
 * The listener to which guests post their one-time token. It is plain HTTP, because a guest that
 * has just booted trusts no CA yet: the token is unguessable, good for one boot, and tells nothing
 * but that this boot reached user space.
 */
export const listenPhoneHome = (deps: PhoneHomeDeps): Promise<{ server: Server; port: number }> => {
  const server = createServer((request, response) => {
    answer(deps, request, response).catch((error: unknown) => {
      deps.log.debug({ err: error }, 'phone-home request failed');
      response.destroy();
    });
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  server.maxConnections = 512;
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = `${deps.address}:${deps.port}`;
      reject(unavailable('SERVICE_UNAVAILABLE', `Cannot listen for guests on ${where}`, { cause }));
    });
    server.listen(deps.port, deps.address, () => {
      const bound = server.address();
      resolve({ server, port: typeof bound === 'object' && bound ? bound.port : deps.port });
    });
  });
};

const answer = async (
  deps: PhoneHomeDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const end = (status: number, text: string) => {
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' });
    response.end(`${text}\n`);
  };
  const match = /^\/phone-home\/([A-Za-z0-9_-]{16,128})$/.exec(request.url ?? '');
  if (!match?.[1]) return end(404, 'not found');
  if (request.method !== 'POST') return end(405, 'post the boot report');
  const report = parseReport(await readBody(request));
  if (!report) return end(400, 'the boot report is not JSON with boot_id and kernel_release');
  const hash = createHash('sha256').update(match[1]).digest('hex');
  if (!deps.accept(hash, report)) return end(403, 'this token belongs to no boot');
  end(200, 'welcome');
};

const readBody = async (request: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_BYTES_MAX) throw new RangeError('boot report is too long');
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts).toString('utf8');
};

const parseReport = (text: string): PhoneHome | undefined => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const fields = new Map(Object.entries(parsed));
  const field = (name: string): string => {
    const value = fields.get(name);
    return typeof value === 'string' ? value.slice(0, FIELD_MAX).replaceAll(/\p{Cc}/gu, '') : '';
  };
  const bootId = field('boot_id');
  if (!/^[0-9a-f-]{36}$/.test(bootId)) return undefined;
  return { bootId, kernelRelease: field('kernel_release'), hostname: field('hostname') };
};

/** Compares two SHA-256 texts in constant time. */
export const sameHash = (a: string, b: string): boolean =>
  a.length === 64 && b.length === 64 && timingSafeEqual(Buffer.from(a), Buffer.from(b));
