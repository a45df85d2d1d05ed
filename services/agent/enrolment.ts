import 'reflect-metadata';
import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { createClient } from '@connectrpc/connect';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { createPeopleTransport } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import { failedPrecondition, unauthenticated, unavailable } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { type MutableTls, tlsMaterial } from '../runtime/tls.ts';

/**
 * How an agent becomes known: a key made here that never leaves, a one-time token exchanged for a
 * certificate of 24 hours, and renewal at half its life. A site that was cut off for up to 90 days
 * renews with its expired certificate.
 */
export type EnrolmentOptions = {
  readonly directory: string;
  /** "https://host:port" of the listener for people, where Join and Renew are served. */
  readonly endpoint: string;
  /** PEM of the CA, or its fingerprint to find it with (SHA-256 of the DER, hexadecimal). */
  readonly ca: { readonly pem: string } | { readonly fingerprint: string };
  /** Reads the join token; called when this agent has no certificate, or only a revoked one. */
  readonly joinToken: () => Promise<string>;
  readonly agentId: string;
};

type Deps = { readonly clock: Clock; readonly random: Random; readonly log: Logger };

export type Enrolment = {
  readonly tls: MutableTls;
  /** Renews at half life until the signal aborts. */
  readonly keepRenewed: (signal: AbortSignal) => Promise<void>;
  /**
   * Joins with a new key and a new join token, after a revocation. Errors: those of Join; then the
   * old certificate is still there.
   */
  readonly rejoin: () => Promise<void>;
};

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CALL_MS = 15_000;
const RETRY_MS = 60_000;

export const enrol = async (options: EnrolmentOptions, deps: Deps): Promise<Enrolment> => {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const keyPem = await ensureKey(options.directory);
  const present = await readIfThere(join(options.directory, 'agent.crt'));
  const ca = (await readIfThere(join(options.directory, 'ca.pem'))) ?? (await findCa(options));
  let pem = { ca, certificate: present ?? '', key: keyPem };
  if (present === undefined) {
    pem = { ...pem, ...(await joinOnce(options, pem, deps)) };
    await save(options.directory, pem);
  }
  const tls = tlsMaterial(pem);
  return {
    tls,
    keepRenewed: (signal) => keepRenewed({ options, deps, tls, signal }),
    rejoin: () => rejoin(options, tls, deps),
  };
};

const rejoin = async (options: EnrolmentOptions, tls: MutableTls, deps: Deps): Promise<void> => {
  const { ca } = tls.current();
  // Whoever revokes a certificate takes its key for stolen.
  const key = await newKey();
  // An answer that is lost burns the token: this key is nowhere but here until it is known.
  const requestId = deps.random.requestId();
  const issued = await joinWith(options, { ca, key, requestId }, deps);
  const { directory } = options;
  // In this order a kill leaves no certificate beside a key that does not fit.
  await rm(join(directory, 'agent.crt'), { force: true });
  await replaceFile(join(directory, 'join-request'), requestId);
  await replaceFile(join(directory, 'agent.key'), key);
  await save(directory, issued);
  tls.replace({ ...issued, key });
};

type Issued = { readonly certificate: string; readonly ca: string };

const joinOnce = async (
  options: EnrolmentOptions,
  { ca, key }: { readonly ca: string; readonly key: string },
  deps: Deps,
): Promise<Issued> => {
  // The id of the request lies beside the key: a join whose answer was lost is asked again, not
  // refused as burned.
  const file = join(options.directory, 'join-request');
  const requestId = await ensureFile(file, deps.random.requestId);
  return joinWith(options, { ca, key, requestId }, deps);
};

type JoinFacts = { readonly ca: string; readonly key: string; readonly requestId: string };

const joinWith = async (
  options: EnrolmentOptions,
  { ca, key, requestId }: JoinFacts,
  { log }: Deps,
): Promise<Issued> => {
  const transport = createPeopleTransport({ endpoint: options.endpoint, caPem: ca });
  try {
    const answer = await createClient(TrustService, transport.transport).join(
      {
        joinToken: (await options.joinToken()).trim(),
        csrPem: await signingRequest(key),
        agentId: options.agentId,
        requestId,
      },
      { timeoutMs: CALL_MS },
    );
    log.info({ agent: answer.agent }, 'joined the installation');
    return { certificate: answer.certificatePem, ca: answer.caPem || ca };
  } finally {
    transport.close();
  }
};

type Renewal = {
  readonly options: EnrolmentOptions;
  readonly deps: Deps;
  readonly tls: MutableTls;
  readonly signal: AbortSignal;
};

const keepRenewed = async (renewal: Renewal): Promise<void> => {
  const { deps, tls, signal } = renewal;
  while (!signal.aborted) {
    const waitMs = untilHalfLifeMs(tls.current().certificate, deps.clock.now());
    await deps.clock.sleep(Math.min(waitMs, 12 * 3600 * 1000), signal).catch(() => {});
    if (signal.aborted) return;
    if (untilHalfLifeMs(tls.current().certificate, deps.clock.now()) > 0) continue;
    try {
      await renewOnce(renewal);
    } catch (error) {
      deps.log.warn({ err: error }, 'cannot renew the certificate; trying again');
      const jitterMs = RETRY_MS * (0.5 + deps.random.fraction());
      await deps.clock.sleep(jitterMs, signal).catch(() => {});
    }
  }
};

const renewOnce = async ({ options, deps, tls }: Renewal): Promise<void> => {
  const { ca, certificate, key } = tls.current();
  const transport = createPeopleTransport({ endpoint: options.endpoint, caPem: ca });
  try {
    const answer = await createClient(TrustService, transport.transport).renew(
      {
        certificatePem: certificate,
        csrPem: await signingRequest(key),
        requestId: deps.random.requestId(),
      },
      { timeoutMs: CALL_MS },
    );
    const pem = { ca: answer.caPem || ca, certificate: answer.certificatePem, key };
    await save(options.directory, pem);
    tls.replace(pem);
    deps.log.info('renewed the certificate');
  } finally {
    transport.close();
  }
};

/** 0 when half of the certificate's life is over. */
export const untilHalfLifeMs = (certificatePem: string, now: Date): number => {
  const certificate = new X509Certificate(certificatePem);
  const fromMs = certificate.validFromDate.getTime();
  const toMs = certificate.validToDate.getTime();
  return Math.max(0, fromMs + (toMs - fromMs) / 2 - now.getTime());
};

const save = async (directory: string, pem: Issued): Promise<void> => {
  await replaceFile(join(directory, 'ca.pem'), pem.ca);
  await replaceFile(join(directory, 'agent.crt'), pem.certificate);
};

const replaceFile = async (path: string, text: string): Promise<void> => {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
};

const readIfThere = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw unavailable('STORE_UNAVAILABLE', `Cannot read "${path}"`, { cause: error });
  }
};

const ensureFile = async (path: string, make: () => string): Promise<string> => {
  const present = await readIfThere(path);
  if (present !== undefined) return present;
  const text = make();
  await replaceFile(path, text);
  return text;
};

const ensureKey = async (directory: string): Promise<string> => {
  const path = join(directory, 'agent.key');
  const present = await readIfThere(path);
  if (present !== undefined) return present;
  const pem = await newKey();
  await replaceFile(path, pem);
  return pem;
};

const newKey = async (): Promise<string> => {
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  return toPem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
};

const toPem = (label: string, der: ArrayBuffer | Uint8Array): string => {
  const body = Buffer.from(der instanceof Uint8Array ? der : new Uint8Array(der));
  const lines = body.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
};

const fromPem = (pem: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));

/** A PKCS #10 request for the key; its subject says nothing, since nothing in it is trusted. */
const signingRequest = async (keyPem: string): Promise<string> => {
  const { subtle } = webcrypto;
  const privateKey = await subtle.importKey('pkcs8', fromPem(keyPem), EC, true, ['sign']);
  const jwk = await subtle.exportKey('jwk', privateKey);
  const publicJwk = { kty: 'EC', crv: 'P-256', x: jwk.x ?? '', y: jwk.y ?? '' };
  const publicKey = await subtle.importKey('jwk', publicJwk, EC, true, ['verify']);
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=agent', keys: { privateKey, publicKey }, signingAlgorithm: EC },
    webcrypto,
  );
  return request.toString('pem');
};

const findCa = async (options: EnrolmentOptions): Promise<string> => {
  if ('pem' in options.ca) return options.ca.pem;
  const wanted = options.ca.fingerprint.toLowerCase().replaceAll(':', '');
  const { hostname, port } = new URL(options.endpoint);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  const chain = await shownChain(host, Number(port || 443));
  const root = chain.find((der) => createHash('sha256').update(der).digest('hex') === wanted);
  if (root) return toPem('CERTIFICATE', root);
  throw unauthenticated(
    'BAD_CREDENTIALS',
    `Cannot join at ${options.endpoint}: no certificate it shows has the fingerprint ${wanted}`,
  );
};

/** The certificates that a server shows. Nothing but the fingerprint is trusted of them. */
const shownChain = (host: string, port: number): Promise<Uint8Array[]> =>
  new Promise((resolve, reject) => {
    // Addresses may not be asked for by name; a listener shows what it has.
    const asked = isIP(host) === 0 ? { host, servername: host } : { host };
    const socket = connect({ ...asked, port, rejectUnauthorized: false }, () => {
      const chain: Uint8Array[] = [];
      let current = socket.getPeerCertificate(true);
      while (current?.raw && chain.length < 8) {
        chain.push(current.raw);
        if (!current.issuerCertificate || current.issuerCertificate === current) break;
        current = current.issuerCertificate;
      }
      socket.destroy();
      resolve(chain);
    });
    socket.setTimeout(CALL_MS, () => socket.destroy(new Error('the server does not answer')));
    socket.once('error', (cause) => {
      const where = `${host}:${port}`;
      reject(failedPrecondition('SERVICE_UNAVAILABLE', `Cannot reach ${where}`, { cause }));
    });
  });
