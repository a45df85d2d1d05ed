import 'reflect-metadata';
import { Pkcs10CertificateRequest, type PublicKey } from '@peculiar/x509';
import { type DomainError, invalidArgument } from '../../runtime/errors.ts';

/**
 * What is taken from a PKCS #10 request: its key, and that its sender holds it. Names in it are not
 * read.
 */
export type SigningRequest = {
  readonly publicKey: PublicKey;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKeyDer: Buffer;
};

const RSA_BITS_MIN = 2048;
/** Larger keys make every handshake slow, ours included. */
const RSA_BITS_MAX = 8192;

/** Errors: invalid_argument CSR_INVALID with what is wrong. */
export const readSigningRequest = async (pem: string): Promise<SigningRequest> => {
  const request = parse(pem);
  demandStrongKey(algorithmOf(request.publicKey));
  const isSigned = await request.verify().catch(() => false);
  if (!isSigned) throw refuse('its signature does not fit its key');
  return {
    publicKey: request.publicKey,
    publicKeyDer: Buffer.from(request.publicKey.rawData),
  };
};

const parse = (pem: string): Pkcs10CertificateRequest => {
  if (!pem.includes('-----BEGIN')) throw refuse('it is not PEM');
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw refuse('it cannot be parsed as PKCS #10', cause);
  }
};

type KeyAlgorithm = {
  readonly name: string;
  readonly namedCurve?: unknown;
  readonly modulusLength?: unknown;
};

const algorithmOf = ({ algorithm }: PublicKey): KeyAlgorithm => ({ ...algorithm });

const demandStrongKey = ({ name, namedCurve, modulusLength }: KeyAlgorithm): void => {
  const curve = String(namedCurve ?? '');
  if (name === 'Ed25519') return;
  if (name === 'ECDSA' && (curve === 'P-256' || curve === 'P-384')) return;
  const bits = typeof modulusLength === 'number' ? modulusLength : 0;
  if (name.startsWith('RSA') && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX) return;
  const given = [name, curve, bits === 0 ? '' : `${bits} bits`].filter((part) => part !== '');
  throw refuse(
    `its key is ${given.join(' ')}; allowed are EC P-256, EC P-384, Ed25519 and RSA of ` +
      `${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits`,
  );
};

const refuse = (why: string, cause?: unknown): DomainError =>
  invalidArgument('CSR_INVALID', `The certificate request cannot be signed: ${why}`, {
    violations: [{ field: 'csr_pem', description: why }],
    ...(cause !== undefined && { cause }),
  });
