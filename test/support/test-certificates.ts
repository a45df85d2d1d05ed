import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** PEM of a certificate with its key, and of the CA that signed it. */
export type Identity = { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };

export type TestCa = {
  /** A certificate for 127.0.0.1 and localhost that serves as server and as client. */
  readonly issue: (name: string) => Promise<Identity>;
};

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

/** A CA that lives for one test run. */
export const createTestCa = async (): Promise<TestCa> => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=runmachine test CA',
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return { issue: (name) => issue({ certificate, keys }, name) };
};

type Issuer = { readonly certificate: X509Certificate; readonly keys: webcrypto.CryptoKeyPair };

const issue = async (issuer: Issuer, name: string): Promise<Identity> => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: issuer.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    ca: Buffer.from(issuer.certificate.toString('pem')),
    cert: Buffer.from(certificate.toString('pem')),
    key: Buffer.from(PemConverter.encode(key, PemConverter.PrivateKeyTag)),
  };
};

/** An hour back and a day on: clocks of test machines are not always right. */
const validity = (): { readonly notBefore: Date; readonly notAfter: Date } => {
  const nowMs = performance.timeOrigin + performance.now();
  return { notBefore: new Date(nowMs - HOUR_MS), notAfter: new Date(nowMs + 24 * HOUR_MS) };
};
