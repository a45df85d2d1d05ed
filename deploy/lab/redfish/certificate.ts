import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Clock } from '../../../services/runtime/clock.ts';

/** What a controller shows: signed by itself, as those in a rack are. */
export type LabCertificate = {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
};

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const VALID_DAYS = 3650;

export const makeCertificate = async (host: string, clock: Clock): Promise<LabCertificate> => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const name: JsonGeneralNames = [{ type: isIP(host) === 0 ? 'dns' : 'ip', value: host }];
  const nowMs = clock.now().getTime();
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=runmachine lab controller',
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + VALID_DAYS * DAY_MS),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new SubjectAlternativeNameExtension(name),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: made.toString('pem'),
    key: PemConverter.encode(key, PemConverter.PrivateKeyTag),
  };
};

/** SHA-256 over DER, lower-case hexadecimal: how a certificate is pinned. */
export const certificateSha256 = ({ certificate }: LabCertificate): string => {
  const der = PemConverter.decodeFirst(certificate);
  return createHash('sha256').update(Buffer.from(der)).digest('hex');
};
