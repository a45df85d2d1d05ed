/**
 * Asks again, for some seconds, what a server was too busy for: such an answer says when it makes
 * sense, and a repeat is safe where nothing is written or the request has an id.
 */
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import type { Clock } from '../runtime/clock.ts';

const TRIES = 4;
const PAUSE_MS_MAX = 2_000;
const CODES: ReadonlySet<Code> = new Set([Code.Unavailable, Code.ResourceExhausted]);
const REASONS: ReadonlySet<string> = new Set(['STORE_BUSY', 'BUSY', 'OUTCOME_UNKNOWN']);

/** Streams are left as they are. */
export const patient = (transport: Transport, clock: Pick<Clock, 'sleep'>): Transport => ({
  unary: async (...call) => {
    const [method, signal, , , message] = call;
    const isSafe = method.idempotency === Level.NO_SIDE_EFFECTS || hasRequestId(message);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await transport.unary(...call);
      } catch (error) {
        const hintMs = isSafe && attempt < TRIES ? busyForMs(error) : undefined;
        if (hintMs === undefined) throw error;
        await clock.sleep(Math.min(hintMs * 2 ** (attempt - 1), PAUSE_MS_MAX), signal);
      }
    }
  },
  stream: (...call) => transport.stream(...call),
});

const hasRequestId = (message: object): boolean =>
  'requestId' in message && typeof message.requestId === 'string' && message.requestId !== '';

/** Undefined: that is not what it says. */
export const busyForMs = (error: unknown): number | undefined => {
  if (!(error instanceof ConnectError) || !CODES.has(error.code)) return undefined;
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason ?? '';
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (!REASONS.has(reason) || delay === undefined) return undefined;
  return Number(delay.seconds) * 1_000 + delay.nanos / 1e6;
};
