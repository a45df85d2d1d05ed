/**
 * What Connect's library says where a connection breaks under a call: INTERNAL for most of it, as
 * if the other side had a bug, and CANCELED for the rest, as if the caller had. A process that died
 * says nothing at all; whoever called may call again with the same request id. Errors that the
 * other side answered pass as they are: they have an ErrorInfo.
 */
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';

const RETRY_MS = 1_000;

/** Of connect-node 2: its session manager, its streams, and its race for the first answer. */
const BROKEN_TEXT =
  /^(?:expected open session|http\/2 stream closed with error code|sentinel completed early)/;

/** Has a broken connection told as UNAVAILABLE with a hint when to try again. */
export const tellingBrokenConnections: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    if (!response.stream) return response;
    return { ...response, message: telling(response.message, request.signal) };
  } catch (error) {
    throw asPassing(error, request.signal);
  }
};

async function* telling<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw asPassing(error, signal);
  }
}

const asPassing = (error: unknown, { aborted }: AbortSignal): unknown => {
  if (!(error instanceof ConnectError)) return error;
  const mayBe = error.code === Code.Internal || (error.code === Code.Canceled && !aborted);
  if (!mayBe) return error;
  if (error.findDetails(ErrorInfoSchema).length > 0 || !isBroken(error)) return error;
  const detail = { desc: RetryInfoSchema, value: { retryDelay: durationFromMs(RETRY_MS) } };
  const message = `The connection broke before the answer came: ${error.rawMessage}`;
  return new ConnectError(message, Code.Unavailable, undefined, [detail], error);
};

const isBroken = ({ rawMessage, cause }: ConnectError): boolean =>
  BROKEN_TEXT.test(rawMessage) || isOfSystem(cause);

/** Node's own, such as EPIPE or ERR_HTTP2_SESSION_ERROR. */
const isOfSystem = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && /^(?:E[A-Z]+|ERR_\w+)$/.test(String(cause.code));
