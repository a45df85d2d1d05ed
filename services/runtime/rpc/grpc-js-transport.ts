/**
 * A Connect transport over grpc-js: `createClient(MachineService, transport)` gives the typed
 * client over the stack that costs a third of the CPU. Addresses may change at any time; a call
 * goes to one that has a connection, and only a call that was not sent yet moves on to the next
 * address.
 */

import type { Readable } from 'node:stream';
import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from '@connectrpc/connect';
import {
  type CallOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type ChannelOptions, type Channels, createChannels } from './grpc-channels.ts';
import { headersOf, metadataOf } from './grpc-context.ts';
import { errorOfStatus } from './grpc-status.ts';

export type GrpcTransportOptions = ChannelOptions & {
  /**
   * For a unary call whose caller sets no timeout, in milliseconds; absent = 10 000. Streams have
   * none by themselves.
   */
  readonly defaultTimeoutMs?: number;
};

/** A transport that owns connections. */
export type GrpcTransport = Transport & {
  /** Closes the connections; calls that run may finish. */
  readonly close: () => void;
};

const DEFAULT_TIMEOUT_MS = 10_000;

export const createGrpcJsTransport = (options: GrpcTransportOptions): GrpcTransport => {
  const channels = createChannels(options);
  const defaultMs = options.defaultTimeoutMs ?? DEFAULT_TIMEOUT_MS;
  return {
    unary: (method, signal, timeoutMs, header, input) =>
      unary({ channels, method, signal, timeoutMs: timeoutMs ?? defaultMs, header }, input),
    stream: (method, signal, timeoutMs, header, input) =>
      stream({ channels, method, signal, timeoutMs, header }, input),
    close: () => channels.close(),
  };
};

type HeaderInput = ConstructorParameters<typeof Headers>[0];

type Call<M> = {
  readonly channels: Channels;
  readonly method: M;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeaderInput;
};

const unary = async <I extends DescMessage, O extends DescMessage>(
  call: Call<DescMethodUnary<I, O>>,
  input: MessageInitShape<I>,
): Promise<UnaryResponse<I, O>> => {
  const { method, signal } = call;
  const request = encode(method.input, input);
  const deadline = deadlineOf(call);
  const client = await call.channels.ready(deadline, signal);
  return new Promise((resolve, reject) => {
    let header = new Headers();
    let trailer = new Headers();
    let answer: Buffer | undefined;
    const settle = (error: ServiceError | null, bytes?: Buffer) => {
      if (error !== null) {
        signal?.removeEventListener('abort', cancel);
        reject(errorOf(error, signal));
      } else answer = bytes;
    };
    const sent = client.makeUnaryRequest(
      pathOf(method),
      asIs,
      asIs,
      request,
      metadataFrom(call.header),
      { deadline },
      settle,
    );
    const cancel = () => sent.cancel();
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    sent.on('metadata', (metadata: Metadata) => {
      header = headersOf(metadata);
    });
    // The status comes after the answer, and brings the trailers.
    sent.on('status', (status) => {
      signal?.removeEventListener('abort', cancel);
      if (answer === undefined) return;
      trailer = headersOf(status.metadata);
      try {
        const message = fromBinary(method.output, answer);
        resolve({ stream: false, service: method.parent, method, header, trailer, message });
      } catch (error) {
        reject(undecodable(error));
      }
    });
  });
};

const stream = async <I extends DescMessage, O extends DescMessage>(
  call: Call<DescMethodStreaming<I, O>>,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<StreamResponse<I, O>> => {
  const { method, signal } = call;
  const deadline = deadlineOf(call);
  const client = await call.channels.ready(deadline, signal);
  const metadata = metadataFrom(call.header);
  const options: CallOptions = { deadline };
  const path = pathOf(method);
  const header = new Headers();
  const trailer = new Headers();
  const respond = (message: AsyncIterable<MessageShape<O>>): StreamResponse<I, O> => ({
    stream: true,
    service: method.parent,
    method,
    header,
    trailer,
    message,
  });
  const headers = { header, trailer };
  switch (method.methodKind) {
    case 'server_streaming': {
      const request = await onlyItem(method.input, input);
      const sent = client.makeServerStreamRequest(path, asIs, asIs, request, metadata, options);
      return respond(answers(sent, method.output, { ...headers, signal }));
    }
    case 'bidi_streaming': {
      const sent = client.makeBidiStreamRequest(path, asIs, asIs, metadata, options);
      sendAll(sent, method.input, input);
      return respond(answers(sent, method.output, { ...headers, signal }));
    }
    case 'client_streaming': {
      let onAnswer: (bytes: Buffer) => void = () => undefined;
      let onError: (error: unknown) => void = () => undefined;
      const answer = new Promise<Buffer>((resolve, reject) => {
        onAnswer = resolve;
        onError = reject;
      });
      // Looked at only when somebody iterates; a failure before that must not count as unhandled.
      answer.catch(() => undefined);
      const sent = client.makeClientStreamRequest(
        path,
        asIs,
        asIs,
        metadata,
        options,
        (error: ServiceError | null, bytes?: Buffer) => {
          if (error !== null || bytes === undefined) onError(error);
          else onAnswer(bytes);
        },
      );
      collectHeaders(sent, headers);
      const detach = cancelOn(sent, signal);
      sendAll(sent, method.input, input);
      return respond(oneAnswer(answer, method.output, { signal, detach }));
    }
  }
};

type Streams = {
  readonly header: Headers;
  readonly trailer: Headers;
  readonly signal: AbortSignal | undefined;
};

async function* answers<O extends DescMessage>(
  sent: ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>,
  output: O,
  { header, trailer, signal }: Streams,
): AsyncGenerator<MessageShape<O>> {
  collectHeaders(sent, { header, trailer });
  const detach = cancelOn(sent, signal);
  const source: Readable = sent;
  try {
    const chunks: AsyncIterable<Buffer> = source.iterator({ destroyOnReturn: false });
    for await (const bytes of chunks) yield decode(output, bytes);
  } catch (error) {
    throw errorOf(error, signal);
  } finally {
    detach();
    // Harmless after the end; before it, the consumer went away.
    sent.cancel();
  }
}

async function* oneAnswer<O extends DescMessage>(
  answer: Promise<Buffer>,
  output: O,
  { signal, detach }: { readonly signal: AbortSignal | undefined; readonly detach: () => void },
): AsyncGenerator<MessageShape<O>> {
  try {
    yield decode(output, await answer);
  } catch (error) {
    throw errorOf(error, signal);
  } finally {
    detach();
  }
}

type Sending = ClientWritableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>;
type AnyCall = Sending | ClientReadableStream<Buffer>;

/**
 * Writes at the pace of the receiver. A failing source cancels the call: the other side must not
 * take half for all.
 */
const sendAll = async <I extends DescMessage>(
  sent: Sending,
  desc: I,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<void> => {
  try {
    for await (const message of input) {
      if (sent.destroyed || sent.writableEnded) return;
      if (!sent.write(encode(desc, message))) await drained(sent);
    }
    sent.end();
  } catch {
    sent.cancel();
  }
};

const drained = (sent: Sending): Promise<void> =>
  new Promise((resolve) => {
    const writable: NodeJS.EventEmitter = sent;
    const events = ['drain', 'close', 'error', 'status'];
    const done = () => {
      for (const event of events) writable.off(event, done);
      resolve();
    };
    for (const event of events) writable.on(event, done);
  });

const collectHeaders = (
  sent: AnyCall,
  { header, trailer }: { readonly header: Headers; readonly trailer: Headers },
): void => {
  const call: NodeJS.EventEmitter = sent;
  call.on('metadata', (metadata: Metadata) => copy(headersOf(metadata), header));
  call.on('status', (status: { metadata: Metadata }) => copy(headersOf(status.metadata), trailer));
};

const copy = (from: Headers, to: Headers): void => {
  for (const [key, value] of from) to.set(key, value);
};

const cancelOn = (sent: AnyCall, signal: AbortSignal | undefined): (() => void) => {
  const cancel = () => sent.cancel();
  if (signal?.aborted) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  return () => signal?.removeEventListener('abort', cancel);
};

const asIs = (bytes: Buffer): Buffer => bytes;
const pathOf = (method: DescMethodUnary | DescMethodStreaming): string =>
  `/${method.parent.typeName}/${method.name}`;

const deadlineOf = ({ timeoutMs }: { readonly timeoutMs: number | undefined }): number =>
  timeoutMs === undefined || timeoutMs <= 0 ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;

const metadataFrom = (header: HeaderInput): Metadata =>
  header === undefined ? new Metadata() : metadataOf(new Headers(header));

const encode = <D extends DescMessage>(desc: D, message: MessageInitShape<D>): Buffer => {
  const bytes = toBinary(desc, create(desc, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

const decode = <D extends DescMessage>(desc: D, bytes: Buffer): MessageShape<D> => {
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    throw undecodable(error);
  }
};

const onlyItem = async <D extends DescMessage>(
  desc: D,
  input: AsyncIterable<MessageInitShape<D>>,
): Promise<Buffer> => {
  for await (const message of input) return encode(desc, message);
  throw new ConnectError('The call has no request', Code.Internal);
};

const undecodable = (error: unknown): ConnectError =>
  new ConnectError('The answer cannot be decoded', Code.Internal, undefined, undefined, error);

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;

const errorOf = (error: unknown, signal: AbortSignal | undefined): ConnectError => {
  if (signal?.aborted) return ConnectError.from(signal.reason, Code.Canceled);
  if (error instanceof ConnectError) return error;
  return isServiceError(error) ? errorOfStatus(error) : ConnectError.from(error);
};
