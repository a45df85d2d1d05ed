/**
 * Serves guarded services over grpc-js with mTLS: our own services, agents and automations.
 * Messages are decoded here and not by grpc-js, so that garbage gets an error of ours and reaches
 * no handler.
 */
import type { Readable } from 'node:stream';
import { create, type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import { ConnectError, type MethodImplSpec } from '@connectrpc/connect';
import {
  experimental,
  Server,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { invalidArgument, unavailable } from '../errors.ts';
import { handRest } from '../hand-rest.ts';
import type { Logger } from '../log.ts';
import type { TlsMaterial } from '../tls.ts';
import { bytesOfAnswer } from './encoded-answer.ts';
import { toConnectError } from './error-mapping.ts';
import { GrpcContext } from './grpc-context.ts';
import { peerOfGrpcCall } from './grpc-peer.ts';
import { grpcServiceDefinition } from './grpc-service-definition.ts';
import { statusOf } from './grpc-status.ts';
import type { GuardedService } from './guard.ts';
import { incomingMessages } from './incoming-messages.ts';
import type { Listen, Mount } from './mount.ts';

export type GrpcMountOptions = {
  readonly services: readonly GuardedService[];
  /** Our certificate, and the CA that must have signed the client's. */
  readonly tls: TlsMaterial;
  readonly listen: Listen;
  readonly log: Logger;
  /** Longest message that is read, in bytes; absent = 4 MiB. */
  readonly messageBytesMax?: number;
};

const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Starts listening. Throws UNAVAILABLE naming the address when it cannot be taken. */
export const mountGrpcJs = async (options: GrpcMountOptions): Promise<Mount> => {
  const server = new Server({
    'grpc.max_receive_message_length': options.messageBytesMax ?? MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 1_000,
    // Its books on every connection: nobody reads them, and they would weigh a kilobyte on each.
    'grpc.enable_channelz': 0,
    // Notices a peer whose host vanished without closing its connection.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
  for (const guarded of options.services) {
    const handlers: UntypedServiceImplementation = {};
    for (const spec of guarded.methods) {
      const { localName } = spec.method;
      handlers[localName] = handlerOf(spec, guarded.readers?.[localName]);
    }
    server.addService(grpcServiceDefinition(guarded.service), handlers);
  }
  const provider = certificateProvider(options.tls);
  const credentials = experimental.createCertificateProviderServerCredentials(
    provider,
    provider,
    true,
  );
  const { host, port } = options.listen;
  const bound = await new Promise<number>((resolve, reject) => {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    server.bindAsync(address, credentials, (cause, boundPort) => {
      if (cause === null) resolve(boundPort);
      else reject(unavailable('SERVICE_UNAVAILABLE', `Cannot listen on ${address}`, { cause }));
    });
  });
  options.log.info({ host, port: bound }, 'listening for services and agents');
  return { host, port: bound, stop: (signal) => stop(server, signal) };
};

const stop = (server: Server, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const force = () => server.forceShutdown();
    if (signal.aborted) force();
    else signal.addEventListener('abort', force, { once: true });
    server.tryShutdown(() => {
      signal.removeEventListener('abort', force);
      resolve();
    });
  });

/**
 * Hands our material to grpc-js now and at every renewal; open connections stay on what they began
 * with. Told in a microtask: grpc-js misses what it is told while it subscribes.
 */
const certificateProvider = (tls: TlsMaterial): experimental.CertificateProvider => {
  const caListeners = new Map<experimental.CaCertificateUpdateListener, () => void>();
  const ownListeners = new Map<experimental.IdentityCertificateUpdateListener, () => void>();
  return {
    addCaCertificateListener: (listener) => {
      const tell = () => listener({ caCertificate: Buffer.from(tls.current().ca) });
      caListeners.set(listener, tls.onChange(tell));
      queueMicrotask(tell);
    },
    removeCaCertificateListener: (listener) => {
      caListeners.get(listener)?.();
      caListeners.delete(listener);
    },
    addIdentityCertificateListener: (listener) => {
      const tell = () => {
        const { certificate, key } = tls.current();
        listener({ certificate: Buffer.from(certificate), privateKey: Buffer.from(key) });
      };
      ownListeners.set(listener, tls.onChange(tell));
      queueMicrotask(tell);
    },
    removeIdentityCertificateListener: (listener) => {
      ownListeners.get(listener)?.();
      ownListeners.delete(listener);
    },
  };
};

type Spec<K extends MethodImplSpec['kind']> = Extract<MethodImplSpec, { kind: K }>;

type Read = (bytes: Buffer) => Message;

const handlerOf = (
  spec: MethodImplSpec,
  read: Read = (bytes) => fromBinary(spec.method.input, bytes),
): UntypedHandleCall => {
  switch (spec.kind) {
    case 'unary':
      return (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        serveUnary({ spec, read }, call, done);
      };
    case 'client_streaming':
      return (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        serveClientStreaming(spec, call, done);
      };
    case 'server_streaming':
      return (call: ServerWritableStream<Buffer, Buffer>) => {
        serveServerStreaming(spec, call);
      };
    case 'bidi_streaming':
      return (call: ServerDuplexStream<Buffer, Buffer>) => {
        serveBidiStreaming(spec, call);
      };
  }
};

const serveUnary = async (
  { spec, read }: { readonly spec: Spec<'unary'>; readonly read: Read },
  call: ServerUnaryCall<Buffer, Buffer>,
  done: sendUnaryData<Buffer>,
): Promise<void> => {
  const context = contextOf(spec, call);
  try {
    const answer = await spec.impl(decode(spec.method.input, call.request, read), context);
    const encoded = encode(spec.method.output, answer);
    context.answered();
    sendHeader(call, context);
    done(null, encoded, context.trailer());
  } catch (error) {
    sendHeader(call, context);
    done(statusOf(ConnectError.from(error)));
  }
};

const serveClientStreaming = async (
  spec: Spec<'client_streaming'>,
  call: ServerReadableStream<Buffer, Buffer>,
  done: sendUnaryData<Buffer>,
): Promise<void> => {
  const context = contextOf(spec, call);
  try {
    const answer = await spec.impl(incoming(spec.method.input, call), context);
    const encoded = encode(spec.method.output, answer);
    sendHeader(call, context);
    done(null, encoded, context.trailer());
  } catch (error) {
    sendHeader(call, context);
    done(statusOf(ConnectError.from(error)));
  }
};

const serveServerStreaming = (
  spec: Spec<'server_streaming'>,
  call: ServerWritableStream<Buffer, Buffer>,
): Promise<void> => {
  const context = contextOf(spec, call);
  return sendAll(spec, { call, context }, () =>
    spec.impl(decode(spec.method.input, call.request), context),
  );
};

const serveBidiStreaming = (
  spec: Spec<'bidi_streaming'>,
  call: ServerDuplexStream<Buffer, Buffer>,
): Promise<void> => {
  const context = contextOf(spec, call);
  return sendAll(spec, { call, context }, () =>
    spec.impl(incoming(spec.method.input, call), context),
  );
};

type Sending = {
  readonly call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;
  readonly context: GrpcContext;
};
type Answer = Parameters<typeof create>[1];

const sendAll = async (
  spec: MethodImplSpec,
  { call, context }: Sending,
  serve: () => AsyncIterable<Answer>,
): Promise<void> => {
  let isHeaderSent = false;
  const send = (answer: Answer): Promise<void> | undefined => {
    if (!isHeaderSent) sendHeader(call, context);
    isHeaderSent = true;
    // Then the context's signal has aborted, and what is left is not asked for.
    if (call.cancelled) return undefined;
    const isRoom = call.write(encode(spec.method.output, answer));
    return isRoom ? undefined : drained(call, context.signal);
  };
  try {
    await handRest(serve()[Symbol.asyncIterator](), send);
    if (!isHeaderSent) sendHeader(call, context);
    call.end(context.trailer());
  } catch (error) {
    if (!isHeaderSent) sendHeader(call, context);
    call.emit('error', statusOf(ConnectError.from(error)));
  }
};

const drained = (call: Sending['call'], signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    call.on('close', done);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });

type AnyCall = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  'metadata' | 'getAuthContext' | 'getDeadline' | 'getPeer' | 'sendMetadata'
> & { on(event: 'cancelled', listener: () => void): unknown };

const contextOf = (spec: MethodImplSpec, call: AnyCall): GrpcContext => {
  const context = new GrpcContext(spec.method, call.metadata, {
    peer: peerOfGrpcCall(call),
    deadline: call.getDeadline(),
  });
  call.on('cancelled', () => context.cancel());
  return context;
};

const sendHeader = (call: AnyCall, context: GrpcContext): void => {
  const header = context.header();
  if (header !== undefined) call.sendMetadata(header);
};

const incoming = (input: DescMessage, call: Readable): AsyncIterable<Message> =>
  incomingMessages(call, (bytes) => decode(input, bytes));

const decode = (
  desc: DescMessage,
  bytes: Buffer,
  read: Read = (those) => fromBinary(desc, those),
): Message => {
  try {
    return read(bytes);
  } catch (cause) {
    throw toConnectError(
      invalidArgument('INVALID_FIELD', `The request is no ${desc.typeName}`, { cause }),
    );
  }
};

const encode = (desc: DescMessage, answer: Parameters<typeof create>[1]): Buffer => {
  const bytes = (answer && bytesOfAnswer(answer)) ?? toBinary(desc, create(desc, answer));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};
