import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { PemConverter, X509CertificateGenerator } from '@peculiar/x509';
import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { redfishAnswers } from '../../../services/agent/drivers/presence/redfish-presence.ts';
import { createRedfishDriver } from '../../../services/agent/drivers/redfish/driver.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { inTime } from '../../support/redfish-lab.ts';

/** RSA of 1024 bits, as controllers made before 2015 have it. */
const oldCertificate = async (): Promise<{ readonly cert: string; readonly key: string }> => {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1', modulusLength: 1024 };
  const rsa = { ...algorithm, publicExponent: new Uint8Array([1, 0, 1]) };
  const keys = await webcrypto.subtle.generateKey(rsa, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned({ name: 'CN=BMC', keys });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: made.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
};

test('a controller with a certificate of its time is found and opened', async (t) => {
  const root = { '@odata.id': '/redfish/v1', RedfishVersion: '1.0.0' };
  const weak = { ...(await oldCertificate()), ciphers: 'DEFAULT:@SECLEVEL=0' };
  const server = createServer(weak, (_, answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.end(JSON.stringify(root));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const found = await redfishAnswers('127.0.0.1', port, inTime());
  t.regex(found?.certificateSha256 ?? '', /^[0-9a-f]{64}$/);
  const driver = createRedfishDriver({ clock: systemClock });
  const at = { address: `https://127.0.0.1:${port}`, provider: 'old', certificateSha256: '' };
  const opening = driver.open(at, { user: 'admin', password: 'secret' }, inTime());
  // Past TLS: it has no system.
  const error = await t.throwsAsync(opening, { instanceOf: BmcError });
  t.is(error.fault, 'unsupported');
});
