/** One call of any RPC, and what is wrong with its outcome. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescMethod, Message } from '@bufbuild/protobuf';
import { createValidator } from '@bufbuild/protovalidate';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';

const UNARY_MS = 60_000;
/** Watches never end by themselves. */
const STREAM_MS = 50;

export type Judged = {
  /** Name of the code, "Ok", or "left" for a stream that was still open. */
  readonly code: string;
  /** What is wrong with how the call ended; undefined when nothing is. */
  readonly fault: string | undefined;
};

export const callAndJudge = async (
  transport: Transport,
  method: DescMethod,
  messages: readonly Message[],
): Promise<Judged> => {
  const limit = new AbortController();
  const isUnary = method.methodKind === 'unary';
  const timer = setTimeout(() => limit.abort(), isUnary ? UNARY_MS : STREAM_MS);
  try {
    for await (const answer of call(transport, method, { messages, signal: limit.signal })) {
      const fault = faultOfAnswer(method, answer);
      if (fault !== undefined) return { code: 'Ok', fault };
    }
    return { code: 'Ok', fault: undefined };
  } catch (error) {
    // A watch goes on for ever: it was left by us.
    if (limit.signal.aborted) {
      return { code: 'left', fault: isUnary ? 'no answer in time' : undefined };
    }
    const code = error instanceof ConnectError ? error.code : Code.Unknown;
    return { code: Code[code], fault: faultOfError(error) };
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
};

type Sent = { readonly messages: readonly Message[]; readonly signal: AbortSignal };

async function* call(
  transport: Transport,
  method: DescMethod,
  { messages, signal }: Sent,
): AsyncGenerator<Message> {
  const [first] = messages;
  const { input, output } = method;
  if (method.methodKind === 'unary') {
    if (first === undefined) throw new Error('a unary call needs a message');
    const unary = { ...method, methodKind: method.methodKind, input, output };
    yield (await transport.unary(unary, signal, undefined, undefined, first)).message;
    return;
  }
  const stream = { ...method, methodKind: method.methodKind, input, output };
  const sent = stream.methodKind === 'server_streaming' ? messages.slice(0, 1) : messages;
  yield* (await transport.stream(stream, signal, undefined, undefined, each(sent))).message;
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

const validator = createValidator();

const faultOfAnswer = (method: DescMethod, answer: Message): string | undefined => {
  const result = validator.validate(method.output, answer);
  return result.kind === 'valid' ? undefined : `the answer breaks its own rules: ${result.error}`;
};

/** The reasons that the contract names. */
const ERRORS = join(import.meta.dirname, '../../proto/runmachine/common/v1/error.proto');
const REASONS = new Set(readFileSync(ERRORS, 'utf8').match(/\b[A-Z]+(?:_[A-Z]+)*\b/g));

/** Codes that are never the right answer to a request. */
const NEVER = new Set([Code.Internal, Code.Unknown, Code.DataLoss, Code.Unimplemented]);

/** What only the inside knows: stacks, paths, sources, other people's errors. */
const INSIDE =
  /node_modules|file:\/\/|\.ts\b|\n\s+at |\.[cm]?[jt]s:\d+|SQLITE|runm-test-|\w+Error\b|is not a function|of undefined|of null/;

const faultOfError = (error: unknown): string | undefined => {
  if (!(error instanceof ConnectError)) return `the client failed: ${error}`;
  const { code, rawMessage } = error;
  const said = `${Code[code]}: ${rawMessage}`;
  if (NEVER.has(code)) return said;
  // Said by the transport before anything of ours reads it.
  if (error.code === Code.ResourceExhausted && /larger than max/.test(error.rawMessage)) {
    return undefined;
  }
  const [info, ...more] = error.findDetails(ErrorInfoSchema);
  if (info === undefined || more.length > 0) return `${said} (without one ErrorInfo)`;
  if (info.domain !== 'runmachine') return `${said} (domain ${info.domain})`;
  if (!REASONS.has(info.reason)) return `${said} (reason ${info.reason} is not in the contract)`;
  const told = [rawMessage, ...Object.values(info.metadata)].join('\n');
  return INSIDE.test(told) ? `${said} (tells of the inside)` : undefined;
};
