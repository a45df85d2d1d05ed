import type { Metadata, ServerUnaryCall } from '@grpc/grpc-js';
import type { Peer, PeerCertificate } from './peer.ts';
import { urisIn } from './subject-alt-name.ts';

type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext' | 'getPeer' | 'metadata'>;

const NONE: PeerCertificate = { uris: [], fingerprint: '', serial: '' };

// Reading a peer certificate costs more than the rest of a small call; it cannot change within a
// connection.
const bySession = new WeakMap<object, PeerCertificate>();

/** The peer of a call on the mTLS listener; the handshake has verified its certificate. */
export const peerOfGrpcCall = (call: AnyCall): Peer => new GrpcPeer(call);

class GrpcPeer implements Peer {
  readonly source: Peer['source'];
  readonly #call: AnyCall;

  constructor(call: AnyCall) {
    this.source = { kind: 'certificate', certificate: certificateOf(call) };
    this.#call = call;
  }

  header(name: string): string | undefined {
    return firstText(this.#call.metadata, name);
  }

  get address(): string {
    return this.#call.getPeer();
  }
}

const firstText = (metadata: Metadata, name: string): string | undefined => {
  const [value] = metadata.get(name);
  return typeof value === 'string' ? value : undefined;
};

const certificateOf = (call: AnyCall): PeerCertificate => {
  const session = sessionOf(call);
  const known = session === undefined ? undefined : bySession.get(session);
  if (known !== undefined) return known;
  const shown = call.getAuthContext().sslPeerCertificate;
  const certificate: PeerCertificate =
    shown === undefined
      ? NONE
      : {
          uris: urisIn(shown.subjectaltname ?? ''),
          fingerprint: shown.fingerprint256,
          serial: shown.serialNumber,
        };
  if (session !== undefined) bySession.set(session, certificate);
  return certificate;
};

/**
 * The HTTP/2 session below a call: grpc-js does not offer it, so it is looked for, and done without
 * when not found.
 */
const sessionOf = (call: object): object | undefined => {
  let at: unknown = Reflect.get(call, 'call');
  for (let depth = 0; depth < 4 && isObject(at); depth += 1) {
    const stream: unknown = Reflect.get(at, 'stream');
    if (isObject(stream)) {
      const session: unknown = Reflect.get(stream, 'session');
      return isObject(session) ? session : undefined;
    }
    at = Reflect.get(at, 'nextCall');
  }
  return undefined;
};

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
