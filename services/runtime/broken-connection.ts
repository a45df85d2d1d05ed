/**
 * What Connect's library says where a connection breaks under a call: INTERNAL for most of it, as
 * if the other side had a bug. A process that died says nothing at all; whoever called may call
 * again with the same request id. Errors that the other side answered pass as they are: they have
 * an ErrorInfo.
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
    return response.stream ? { ...response, message: telling(response.message) } : response;
  } catch (error) {
    throw asPassing(error);
  }
};

async function* telling<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw asPassing(error);
  }
}

const asPassing = (error: unknown): unknown => {
  if (!(error instanceof ConnectError) || error.code !== Code.Internal) return error;
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
