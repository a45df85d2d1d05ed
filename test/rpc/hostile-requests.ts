/** Requests at random that no client of ours sends, and what is wrong with an answer to one. */
import fc from 'fast-check';
import type { Answer } from './wire.ts';

const frame = (flags: number, length: number, data: Uint8Array): Uint8Array => {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, data]);
};

const bytes = fc.uint8Array({ maxLength: 300 });

/** Groups within groups, which need no length, and messages within messages. */
const nested = fc.nat({ max: 20_000 }).map((depth) => Buffer.alloc(depth, 0x0b));

/** Message bodies: no frames, broken frames, frames of nonsense. */
export const hostileBody: fc.Arbitrary<Uint8Array> = fc.oneof(
  bytes,
  nested,
  bytes.map((data) => frame(0, data.length, data)),
  fc.tuple(bytes, fc.nat({ max: 5_000 })).map(([data, more]) => frame(0, data.length + more, data)),
  bytes.map((data) => frame(0, 0xffff_ffff, data)),
  bytes.map((data) => frame(1, data.length, data)),
  fc.tuple(fc.nat({ max: 255 }), bytes).map(([flags, data]) => frame(flags, data.length, data)),
  fc
    .array(bytes, { maxLength: 5 })
    .map((all) => Buffer.concat(all.map((data) => frame(0, data.length, data)))),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(JSON.stringify(text))),
  fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text)),
);

export const contentType: fc.Arbitrary<string> = fc.constantFrom(
  ...['application/grpc', 'application/grpc+proto', 'application/grpc+json', 'application/grpc+x'],
  ...['application/grpc-web', 'application/grpc-web+proto', 'application/grpc-web-text'],
  ...['application/proto', 'application/json', 'application/json; charset=latin1'],
  ...['application/connect+proto', 'application/connect+json', 'application/connect+x'],
  ...['text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', '*/*'],
);

const visible = fc.stringMatching(/^[ -~]{1,60}$/);

/** Headers that mean something to us, with values that mean nothing. */
export const hostileHeaders: fc.Arbitrary<Readonly<Record<string, string>>> = fc
  .dictionary(
    fc.constantFrom(
      ...['grpc-timeout', 'connect-timeout-ms', 'connect-protocol-version', 'grpc-encoding'],
      ...['grpc-accept-encoding', 'content-encoding', 'connect-content-encoding', 'x-request-id'],
      ...['runm-on-behalf-of', 'runm-hops', 'accept', 'origin', 'cookie', 'x-forwarded-for'],
    ),
    fc.oneof(
      visible,
      fc.constantFrom('', '-1', '0', '99999999999999999999H', '1S', 'gzip', 'identity', 'e30='),
      fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some).toString('base64')),
    ),
    { maxKeys: 4 },
  )
  .map((headers) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.trim()])),
  );

const INSIDE =
  /node_modules|file:\/\/|\n\s+at |\.[cm]?[jt]s:\d+|SQLITE|runm-test-|is not a function/;
const GRPC_CODES = 16;

/** What is wrong with an answer; undefined when nothing is. Hanging up is an answer too. */
export const faultOf = (answer: Answer): string | undefined => {
  if (answer.kind === 'silent') return 'no answer in time';
  if (answer.kind === 'hung up') return undefined;
  const { status, headers, body } = answer;
  const told = `${status} ${JSON.stringify(headers)} ${body.slice(0, 500)}`;
  if (INSIDE.test(told) || INSIDE.test(body)) return `tells of the inside: ${told}`;
  if (headers['grpc-status'] !== undefined) {
    const code = Number(headers['grpc-status']);
    const isKnown = Number.isInteger(code) && code >= 0 && code <= GRPC_CODES;
    const message = decodeURIComponent(headers['grpc-message'] ?? '');
    if (!isKnown) return `unknown code: ${told}`;
    return isOwnMistake(code, message) ? `its own mistake: ${told}` : undefined;
  }
  if (status >= 500 && status !== 501 && status !== 503) return `its own mistake: ${told}`;
  return undefined;
};

const UNKNOWN = 2;
const INTERNAL = 13;
const DATA_LOSS = 15;

/**
 * What grpc-js itself answers to broken requests, as gRPC demands, before anything of ours runs.
 */
const LIBRARY = /^(?:Invalid grpc-timeout|Failed to decompress)/;

const isOwnMistake = (code: number, message: string): boolean =>
  code === UNKNOWN || code === DATA_LOSS || (code === INTERNAL && !LIBRARY.test(message));
