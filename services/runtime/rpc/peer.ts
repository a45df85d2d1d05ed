import { createContextKey } from '@connectrpc/connect';

/**
 * What a mount knows of the other side before anybody is believed. The mount puts it into the
 * context values; the identity stage turns it into an Identity.
 */
export type Peer = {
  readonly source: PeerSource;
  /** A request header by its lower-case name; the first value; undefined when absent. */
  readonly header: (name: string) => string | undefined;
  /** Address of the connection, for the log. */
  readonly address: string;
};

export type PeerSource =
  /** mTLS listener: verified by the TLS handshake. */
  | { readonly kind: 'certificate'; readonly certificate: PeerCertificate }
  /** The people's listener: an Authorization header, or nobody. */
  | { readonly kind: 'people' }
  /** A component of this process, by its service name. */
  | { readonly kind: 'in-process'; readonly service: string };

export type PeerCertificate = {
  /** URI subject alternative names, for example "spiffe://lab/agent/0198…". */
  readonly uris: readonly string[];
  /** SHA-256 of the certificate, upper-case hex with colons. */
  readonly fingerprint: string;
  /** Serial number, upper-case hex. */
  readonly serial: string;
};

export const peerKey = createContextKey<Peer | undefined>(undefined, { description: 'peer' });
