/**
 * What Connect's library says about a request that it cannot read, in the words of our contract: it
 * calls a broken message INTERNAL, and gives no ErrorInfo. Errors of ours pass as they are, and so
 * does what it says about our answers.
 */
import type { JsonWriteOptions } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { encodeEnvelope, type UniversalServerResponse } from '@connectrpc/connect/protocol';
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamFromJson,
  endStreamToJson,
  errorFromJsonBytes,
  errorToJsonBytes,
} from '@connectrpc/connect/protocol-connect';
import { findTrailerError, setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { trailerFlag, trailerParse, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { type DomainError, invalidArgument, resourceExhausted } from '../errors.ts';
import { toConnectError } from './error-mapping.ts';

const BROKEN =
  /^(?:parse (?:binary|JSON)|protocol error|received compressed envelope|decompression failed)\b/;

/** The caller's mistake behind an error of reading his request; undefined for any other error. */
export const unreadable = (thrown: unknown): DomainError | undefined => {
  if (!(thrown instanceof ConnectError) || thrown.findDetails(ErrorInfoSchema).length > 0) {
    return undefined;
  }
  const { code, rawMessage } = thrown;
  const message = `The request cannot be read: ${rawMessage}`;
  if (code === Code.ResourceExhausted) return resourceExhausted('INVALID_FIELD', message);
  const isBroken = code === Code.Internal && BROKEN.test(rawMessage);
  if (code !== Code.InvalidArgument && !isBroken) return undefined;
  return invalidArgument('INVALID_FIELD', message, { cause: thrown });
};

/** The same for the answer to a call whose first message could not be read. */
export const withReadableError = async (
  response: UniversalServerResponse,
  json: Partial<JsonWriteOptions>,
): Promise<UniversalServerResponse> => {
  const type = response.header?.get('content-type') ?? '';
  if (response.trailer !== undefined) correctTrailer(response.trailer);
  else if (type.startsWith('application/grpc-web')) return inLastFrame(response, correctWebFrame);
  else if (type.startsWith('application/connect+')) {
    return inLastFrame(response, (frame) => correctEndFrame(frame, json));
  } else if (response.status >= 400 && type === 'application/json') {
    return correctBody(response, json);
  }
  return response;
};

const corrected = (error: ConnectError | undefined): ConnectError | undefined => {
  const found = unreadable(error);
  return found === undefined ? undefined : toConnectError(found);
};

const correctTrailer = (trailer: Headers): boolean => {
  if (trailer.get('grpc-status') === '0') return false;
  const better = corrected(findTrailerError(trailer));
  if (better !== undefined) setTrailerStatus(trailer, better);
  return better !== undefined;
};

const correctBody = async (
  response: UniversalServerResponse,
  json: Partial<JsonWriteOptions>,
): Promise<UniversalServerResponse> => {
  const { header, body } = response;
  if (body === undefined || header === undefined || header.has('content-encoding')) return response;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const unknown = new ConnectError('', Code.Unknown);
  const better = corrected(errorFromJsonBytes(bytes, undefined, unknown));
  if (better === undefined) return { ...response, body: each([bytes]) };
  const told = errorToJsonBytes(better, json);
  header.set('content-length', String(told.length));
  return { ...response, status: codeToHttpStatus(better.code), body: each([told]) };
};

async function* each(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

type Frame = { readonly flags: number; readonly data: Uint8Array };
const HEAD_BYTES = 5;

/** Each chunk of the library's streams is one frame; only one with an error is changed. */
const inLastFrame = (
  response: UniversalServerResponse,
  correct: (frame: Frame) => Uint8Array | undefined,
): UniversalServerResponse => {
  const { body } = response;
  if (body === undefined) return response;
  const frames = async function* () {
    for await (const chunk of body) {
      const frame = { flags: chunk[0] ?? 0, data: chunk.subarray(HEAD_BYTES) };
      const better = correct(frame);
      yield better === undefined ? chunk : encodeEnvelope(frame.flags, better);
    }
  };
  return { ...response, body: frames() };
};

const correctWebFrame = ({ flags, data }: Frame): Uint8Array | undefined => {
  if (flags !== trailerFlag) return undefined;
  const trailer = trailerParse(data);
  return correctTrailer(trailer) ? trailerSerialize(trailer) : undefined;
};

const correctEndFrame = (
  { flags, data }: Frame,
  json: Partial<JsonWriteOptions>,
): Uint8Array | undefined => {
  if (flags !== endStreamFlag) return undefined;
  const { metadata, error } = endStreamFromJson(data);
  const better = corrected(error);
  if (better === undefined) return undefined;
  return Buffer.from(JSON.stringify(endStreamToJson(metadata, better, json)));
};
