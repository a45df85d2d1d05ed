import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A new P-256 key, which stays here, and a PKCS #10 request for it. */
export const makeKeyAndRequest = async (
  commonName: string,
): Promise<{ keyPem: string; requestPem: string }> => {
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: `CN=${commonName}`, keys, signingAlgorithm: EC },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const body = pkcs8.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
  return { keyPem, requestPem: request.toString('pem') };
};
