import { createHash } from 'node:crypto';
import { request } from 'node:https';
import { TLSSocket } from 'node:tls';
import { CONTROLLER_TLS } from '../controller-tls.ts';

export type RedfishPresence = {
  /** SHA-256 of the certificate (DER, lower-case hexadecimal). */
  readonly certificateSha256: string;
};

const BODY_BYTES_MAX = 64 * 1024;

/**
 * Whether something speaks Redfish at an address: the service root is to be had without
 * credentials (DSP0266 §13.3.2). Undefined: nothing there does. Its certificate is not checked,
 * since nothing is told to it.
 */
export const redfishAnswers = (
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<RedfishPresence | undefined> =>
  new Promise((resolve) => {
    const options = { ...CONTROLLER_TLS, host, port, path: '/redfish/v1/', signal };
    const headers = { accept: 'application/json', 'odata-version': '4.0' };
    const asked = request({ ...options, headers, agent: false }, (response) => {
      const { socket } = response;
      const raw = socket instanceof TLSSocket ? socket.getPeerCertificate().raw : undefined;
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        body += piece;
        if (body.length > BODY_BYTES_MAX) response.destroy();
      });
      response.once('error', () => resolve(undefined));
      response.once('close', () => {
        const certificateSha256 =
          raw === undefined ? '' : createHash('sha256').update(raw).digest('hex');
        resolve(isServiceRoot(body) ? { certificateSha256 } : undefined);
      });
    });
    asked.once('error', () => resolve(undefined));
    asked.end();
  });

const isServiceRoot = (body: string): boolean => {
  try {
    const root: unknown = JSON.parse(body);
    return typeof root === 'object' && root !== null && 'RedfishVersion' in root;
  } catch {
    return false;
  }
};
