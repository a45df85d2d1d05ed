/**
 * A Connect transport for load: gRPC over Node's bare HTTP/2 with mTLS, unary calls only. It costs
 * half of what a client over grpc-js does, so that the claimers leave the machine to what is
 * measured. Of several addresses it stays with one until that fails.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as dial } from 'node:http2';
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Code, ConnectError, type Transport, type UnaryResponse } from '@connectrpc/connect';
import { findTrailerError } from '@connectrpc/connect/protocol-grpc';
import type { Pem } from '../../services/runtime/tls.ts';
import { grpcFrame } from './grpc-frame.ts';

export type WireOptions = {
  readonly addresses: readonly string[];
  readonly pem: Pem;
  /** Of a call that sets none, in milliseconds. */
  readonly defaultTimeoutMs?: number;
};

const TIMEOUT_MS = 10_000;
const FRAME_HEAD = 5;

export const createWireTransport = (options: WireOptions): Transport => {
  const sessions = createSessions(options);
  return {
    unary: async (method, signal, timeoutMs, _header, input) => {
      signal?.throwIfAborted();
      const limitMs = timeoutMs ?? options.defaultTimeoutMs ?? TIMEOUT_MS;
      return unary(sessions, { method, limitMs }, input);
    },
    stream: () => Promise.reject(new ConnectError('Only unary calls', Code.Unimplemented)),
  };
};

type Sessions = {
  readonly current: () => ClientHttp2Session;
  /** The next call goes to another address. */
  readonly fail: (session: ClientHttp2Session) => void;
};

const createSessions = ({ addresses, pem }: WireOptions): Sessions => {
  let at = 0;
  let session: ClientHttp2Session | undefined;
  const fail = (failed: ClientHttp2Session): void => {
    if (session !== failed) return;
    session = undefined;
    at += 1;
  };
  const open = (): ClientHttp2Session => {
    const [, host = '', port = ''] =
      /^(.*):(\d+)$/.exec(addresses[at % addresses.length] ?? '') ?? [];
    const opened = dial(`https://${host}:${port}`, {
      ca: pem.ca,
      cert: pem.certificate,
      key: pem.key,
      servername: 'localhost',
    });
    opened.on('error', () => fail(opened));
    opened.on('close', () => fail(opened));
    opened.on('goaway', () => fail(opened));
    session = opened;
    return opened;
  };
  return { current: () => session ?? open(), fail };
};

type Call<I extends DescMessage, O extends DescMessage> = {
  readonly method: DescMethodUnary<I, O>;
  readonly limitMs: number;
};

const unary = <I extends DescMessage, O extends DescMessage>(
  sessions: Sessions,
  { method, limitMs }: Call<I, O>,
  input: MessageInitShape<I>,
): Promise<UnaryResponse<I, O>> =>
  new Promise((resolve, reject) => {
    const session = sessions.current();
    const sent = session.request({
      ':method': 'POST',
      ':path': `/${method.parent.typeName}/${method.name}`,
      'content-type': 'application/grpc',
      'grpc-timeout': `${Math.ceil(limitMs)}m`,
      te: 'trailers',
    });
    const parts: Buffer[] = [];
    const timer = setTimeout(() => {
      sent.close();
      reject(new ConnectError(`no answer within ${limitMs} ms`, Code.DeadlineExceeded));
    }, limitMs);
    sent.on('data', (part: Buffer) => parts.push(part));
    let failure: Error | undefined = new ConnectError('no status came', Code.Unavailable);
    const onStatus = (headers: NodeJS.Dict<string | string[]>) => {
      if (headers['grpc-status'] !== undefined) failure = errorIn(headers);
    };
    // An answer that is nothing but an error has its status in the headers.
    sent.on('response', onStatus).on('trailers', onStatus);
    sent.on('error', (cause) => {
      failure = new ConnectError(`the call failed: ${cause.message}`, Code.Unavailable);
      sessions.fail(session);
    });
    sent.on('close', () => {
      clearTimeout(timer);
      if (failure !== undefined) return reject(failure);
      const message = fromBinary(method.output, Buffer.concat(parts).subarray(FRAME_HEAD));
      const nothing = { header: new Headers(), trailer: new Headers() };
      resolve({ stream: false, service: method.parent, method, message, ...nothing });
    });
    send(sent, toBinary(method.input, create(method.input, input)));
  });

const send = (stream: ClientHttp2Stream, message: Uint8Array): void => {
  stream.end(grpcFrame(message));
};

const errorIn = (headers: NodeJS.Dict<string | string[]>): ConnectError | undefined => {
  if (headers['grpc-status'] === '0') return undefined;
  const fields = Object.entries(headers).flatMap(([key, value]): [string, string][] =>
    key.startsWith('grpc-') && typeof value === 'string' ? [[key, value]] : [],
  );
  return findTrailerError(new Headers(fields));
};
