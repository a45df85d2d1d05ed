import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { ContextValues, HandlerContext } from '@connectrpc/connect';
import { type Deadline, Metadata } from '@grpc/grpc-js';
import { CallValues } from './call-values.ts';
import { type Peer, peerKey } from './peer.ts';

// One for all: the exception that abort() makes otherwise costs as much as decoding a message.
const GONE = new Error('The caller went away');

/** The handler context of a call on grpc-js. Headers are built only when somebody looks at them. */
export class GrpcContext implements HandlerContext {
  readonly service: DescService;
  readonly method: DescMethod;
  readonly protocolName = 'grpc';
  readonly requestMethod = 'POST';
  readonly values: ContextValues = new CallValues();
  readonly #metadata: Metadata;
  readonly #deadlineMs: number;
  readonly #abort = new AbortController();
  #isAnswered = false;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  constructor(method: DescMethod, metadata: Metadata, { peer, deadline }: CallFacts) {
    this.service = method.parent;
    this.method = method;
    this.#metadata = metadata;
    this.#deadlineMs = Number(deadline);
    this.values.set(peerKey, peer);
  }

  get url(): string {
    return `https://peer/${this.service.typeName}/${this.method.name}`;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= headersOf(this.#metadata);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  // grpc-js gives the deadline as wall time, Infinity when the client set none.
  timeoutMs(): number | undefined {
    return Number.isFinite(this.#deadlineMs)
      ? Math.max(0, this.#deadlineMs - Date.now())
      : undefined;
  }

  /** The caller went away or its deadline passed. */
  cancel(): void {
    if (!this.#isAnswered) this.#abort.abort(GONE);
  }

  /** grpc-js says of every call that it was cancelled, also when all went well. */
  answered(): void {
    this.#isAnswered = true;
  }

  /** To be sent now. Not kept: a stream may live for days. */
  header(): Metadata | undefined {
    const header = this.#responseHeader;
    this.#responseHeader = undefined;
    return header === undefined ? undefined : metadataOf(header);
  }

  trailer(): Metadata | undefined {
    return this.#responseTrailer === undefined ? undefined : metadataOf(this.#responseTrailer);
  }
}

export type CallFacts = { readonly peer: Peer; readonly deadline: Deadline };

/** gRPC metadata as HTTP headers; binary values in base64, as they travel. */
export const headersOf = (metadata: Metadata): Headers => {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) {
      headers.append(key, typeof value === 'string' ? value : value.toString('base64'));
    }
  }
  return headers;
};

/** HTTP headers as gRPC metadata; keys that end in -bin hold base64. */
export const metadataOf = (headers: Headers): Metadata => {
  const metadata = new Metadata();
  headers.forEach((value, key) => {
    metadata.add(key, key.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  });
  return metadata;
};
