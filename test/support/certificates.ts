import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { type MutableTls, type Pem, tlsMaterial } from '../../services/runtime/tls.ts';

/** Trust domain of the test certificates. */
export const CLUSTER = 'test';

export type Authority = {
  /** PEM of the CA. */
  readonly ca: string;
  /** A certificate with these URI names; DNS localhost and IP 127.0.0.1 are always in it. */
  readonly issue: (uris: readonly string[]) => Promise<Pem>;
  readonly service: (name: string) => Promise<MutableTls>;
  readonly agent: (uid: string) => Promise<MutableTls>;
  readonly app: (uid: string) => Promise<MutableTls>;
};

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

/** A CA that lives for one test file and signs SPIFFE certificates of `spiffe://test/…`. */
export const createAuthority = async (): Promise<Authority> => {
  const keys = await newKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=runmachine test authority',
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const ca = root.toString('pem');
  const issue = async (uris: readonly string[]): Promise<Pem> => {
    const own = await newKeys();
    const certificate = await sign({ root, keys }, own.publicKey, uris);
    const key = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
    return {
      ca,
      certificate: certificate.toString('pem'),
      key: PemConverter.encode(key, PemConverter.PrivateKeyTag),
    };
  };
  const named = (kind: string) => async (id: string) =>
    tlsMaterial(await issue([`spiffe://${CLUSTER}/${kind}/${id}`]));
  return { ca, issue, service: named('service'), agent: named('agent'), app: named('app') };
};

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

type Issuer = { readonly root: X509Certificate; readonly keys: webcrypto.CryptoKeyPair };

const sign = (
  issuer: Issuer,
  publicKey: webcrypto.CryptoKey,
  uris: readonly string[],
): Promise<X509Certificate> => {
  const names: JsonGeneralNames = [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
  ];
  return X509CertificateGenerator.create({
    subject: 'CN=test',
    issuer: issuer.root.subject,
    publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new SubjectAlternativeNameExtension(names),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    ],
  });
};

/** An hour back and a day on: clocks of test machines are not always right. */
const validity = (): { readonly notBefore: Date; readonly notAfter: Date } => {
  const nowMs = performance.timeOrigin + performance.now();
  return { notBefore: new Date(nowMs - HOUR_MS), notAfter: new Date(nowMs + 24 * HOUR_MS) };
};
