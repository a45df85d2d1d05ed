import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Random } from '../../runtime/random.ts';

/** EC P-256 everywhere that we choose: small, fast, known to every client. */
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const ROOT_LIFETIME_MS = 10 * 365 * 24 * 3_600_000;
/** Certificates begin a little earlier: the clocks of others are late. */
export const BACKDATE_MS = 5 * 60_000;
const SERIAL_BYTES = 16;

export type Issuer = {
  readonly certificate: X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
};

export type Leaf = {
  /** Common name, for people who read it. */
  readonly name: string;
  /** "spiffe://…"; empty = none. */
  readonly uri: string;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly publicKey: PublicKey | webcrypto.CryptoKey;
  readonly lifetimeMs: number;
  readonly asServer: boolean;
  readonly asClient: boolean;
};

export type Signed = {
  readonly pem: string;
  /** Upper-case hexadecimal, as TLS stacks show it. */
  readonly serial: string;
  readonly expireMs: number;
};

export const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);

export const exportPrivateKey = async (key: webcrypto.CryptoKey): Promise<Buffer> =>
  Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));

export const importPrivateKey = (pkcs8: Uint8Array): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', Buffer.from(pkcs8), EC, false, ['sign']);

export const privateKeyPem = (pkcs8: Buffer): string =>
  PemConverter.encode(new Uint8Array(pkcs8).buffer, PemConverter.PrivateKeyTag);

type Now = { readonly nowMs: number; readonly random: Random };

/** The self-signed root of an installation. */
export const createRoot = async (
  cluster: string,
  keys: webcrypto.CryptoKeyPair,
  { nowMs, random }: Now,
): Promise<X509Certificate> =>
  X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`runmachine ${cluster}`] }],
    serialNumber: newSerial(random),
    keys,
    signingAlgorithm: EC,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + ROOT_LIFETIME_MS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });

export const signLeaf = async (issuer: Issuer, leaf: Leaf, now: Now): Promise<Signed> => {
  const serial = newSerial(now.random);
  const expireMs = wholeSecond(
    Math.min(now.nowMs + leaf.lifetimeMs, issuer.certificate.notAfter.getTime()),
  );
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    subject: [{ CN: [leaf.name.slice(0, 64)] }],
    issuer: issuer.certificate.subjectName,
    publicKey: leaf.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: EC,
    notBefore: new Date(now.nowMs - BACKDATE_MS),
    notAfter: new Date(expireMs),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usagesOf(leaf)),
      new SubjectAlternativeNameExtension(namesOf(leaf)),
      await SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
    ],
  });
  return { pem: `${certificate.toString('pem')}\n`, serial: serial.toUpperCase(), expireMs };
};

/** Whether that issuer signed it; says nothing about time. */
export const isSignedBy = (issuer: Issuer, certificate: X509Certificate): Promise<boolean> =>
  certificate
    .verify({ publicKey: issuer.certificate.publicKey, signatureOnly: true })
    .catch(() => false);

export const parseCertificate = (pem: string): X509Certificate | undefined => {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
};

const usagesOf = ({ asServer, asClient }: Leaf): ExtendedKeyUsage[] => [
  ...(asServer ? [ExtendedKeyUsage.serverAuth] : []),
  ...(asClient ? [ExtendedKeyUsage.clientAuth] : []),
];

const namesOf = ({ uri, dnsNames, addresses }: Leaf): JsonGeneralNames => [
  ...(uri === '' ? [] : [{ type: 'url' as const, value: uri }]),
  ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
  ...addresses.map((value) => ({ type: 'ip' as const, value })),
];

// The first bit stays clear: a serial is a positive number, and TLS stacks show it without a
// leading zero byte.
const newSerial = (random: Random): string => {
  const bytes = random.bytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
};

// X.509 times have no milliseconds; what is stored must be what the certificate says.
const wholeSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;
