import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509';
import type { Clock } from '../../runtime/clock.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import type { Pem } from '../../runtime/tls.ts';
import { type Principal, parseSpiffeId, spiffeId } from '../domain/principal.ts';
import type { AuthorityRecord, AuthorityVault } from '../ports.ts';
import { seal, unseal } from './seal.ts';
import {
  BACKDATE_MS,
  createRoot,
  exportPrivateKey,
  type Issuer,
  importPrivateKey,
  isSignedBy,
  type Leaf,
  newKeys,
  parseCertificate,
  privateKeyPem,
  type Signed,
  signLeaf,
} from './sign.ts';
import type { SigningRequest } from './signing-request.ts';

/** A certificate of ours with its key; write the key with mode 0600 or keep it in memory. */
export type IssuedPem = Pem & { readonly expireMs: number };

export type ServerNames = {
  readonly dnsNames: readonly string[];
  /** IP addresses without brackets. */
  readonly addresses: readonly string[];
  /** Absent = 90 days. */
  readonly lifetimeMs?: number;
};

/** A certificate that this CA signed, whatever its time. */
export type KnownCertificate = {
  readonly principal: Principal;
  readonly serial: string;
  readonly expireMs: number;
  readonly lifetimeMs: number;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKeyDer: Buffer;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
};

/** The CA of the installation. Its private key never leaves this object. */
export type Authority = {
  readonly cluster: string;
  /** All CA certificates, newest first. */
  readonly caPem: string;
  /** SHA-256 of the newest CA certificate's DER, lower-case hexadecimal. */
  readonly caFingerprint: string;
  /** A client certificate for an agent or app. */
  readonly signClient: (
    principal: Principal,
    request: SigningRequest,
    lifetimeMs: number,
  ) => Promise<Signed>;
  /**
   * For a service process, server and client in one: SAN spiffe://{cluster}/service/{name} and the
   * names given.
   */
  readonly issueServiceCertificate: (
    asked: ServerNames & { readonly name: string },
  ) => Promise<IssuedPem>;
  /** For the people's listener: the names given, at least one. */
  readonly issueServerCertificate: (asked: ServerNames) => Promise<IssuedPem>;
  /**
   * Undefined when it cannot be parsed, is not signed by this CA, or names no principal of ours.
   */
  readonly read: (certificatePem: string) => Promise<KnownCertificate | undefined>;
  /** The same identity, names and lifetime again; the caller has checked that it may. */
  readonly signAgain: (known: KnownCertificate, request: SigningRequest) => Promise<Signed>;
};

export type AuthorityDeps = {
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly masterKey: Buffer;
  readonly vault: AuthorityVault;
};

const SERVER_LIFETIME_MS = 90 * 24 * 3_600_000;

/** Opens the installation's CA, making it at the first start. Errors: MASTER_KEY_WRONG. */
export const openAuthority = async (deps: AuthorityDeps): Promise<Authority> => {
  const records = await ensureRoot(deps);
  const issuers = await Promise.all(records.map((record) => issuerOf(deps, record)));
  const [newest] = issuers;
  if (newest === undefined) throw new Error('The installation has no certificate authority');
  const { cluster, clock, random } = deps;
  const caPem = issuers.map(({ certificate }) => `${certificate.toString('pem')}\n`).join('');
  const sign = (leaf: Leaf) => signLeaf(newest, leaf, { nowMs: clock.now().getTime(), random });
  const issue = async (leaf: Omit<Leaf, 'publicKey'>): Promise<IssuedPem> => {
    const keys = await newKeys();
    const signed = await sign({ ...leaf, publicKey: keys.publicKey });
    const key = privateKeyPem(await exportPrivateKey(keys.privateKey));
    return { ca: caPem, certificate: signed.pem, key, expireMs: signed.expireMs };
  };
  return {
    cluster,
    caPem,
    caFingerprint: createHash('sha256')
      .update(Buffer.from(newest.certificate.rawData))
      .digest('hex'),
    signClient: (principal, { publicKey }, lifetimeMs) =>
      sign({ ...clientLeaf(cluster, principal), publicKey, lifetimeMs }),
    issueServiceCertificate: async ({ name, ...asked }) =>
      issue({
        ...serverLeaf(asked),
        name: `service/${name}`,
        uri: spiffeId(cluster, 'service', name),
        asClient: true,
      }),
    issueServerCertificate: async (asked) => {
      const issued = await issue(serverLeaf(asked));
      // The root is shown too: an agent that knows only its fingerprint takes it from the
      // handshake.
      return { ...issued, certificate: issued.certificate + caPem };
    },
    read: async (pem) => {
      const certificate = parseCertificate(pem);
      if (certificate === undefined) return undefined;
      const isOurs = await Promise.all(issuers.map((issuer) => isSignedBy(issuer, certificate)));
      return isOurs.includes(true) ? knownOf(cluster, certificate) : undefined;
    },
    signAgain: ({ principal, dnsNames, addresses, lifetimeMs }, { publicKey }) =>
      sign({
        ...clientLeaf(cluster, principal),
        publicKey,
        dnsNames,
        addresses,
        lifetimeMs,
        asServer: principal.kind === 'service',
      }),
  };
};

const labelOf = (cluster: string, uid: string): string => `runmachine authority ${cluster} ${uid}`;

// Of two replicas that start on an empty database one inserts; the other reads what the first made.
const ensureRoot = async (deps: AuthorityDeps): Promise<readonly AuthorityRecord[]> => {
  const present = await deps.vault.all();
  if (present.length > 0) return present;
  const { cluster, clock, random } = deps;
  const uid = random.uid();
  const keys = await newKeys();
  const root = await createRoot(cluster, keys, { nowMs: clock.now().getTime(), random });
  const pkcs8 = await exportPrivateKey(keys.privateKey);
  await deps.vault.insertFirst({
    uid,
    certificatePem: root.toString('pem'),
    sealedKey: seal(deps, pkcs8, labelOf(cluster, uid)),
  });
  return deps.vault.all();
};

const issuerOf = async (
  { cluster, masterKey }: AuthorityDeps,
  { uid, certificatePem, sealedKey }: AuthorityRecord,
): Promise<Issuer> => ({
  certificate: new X509Certificate(certificatePem),
  privateKey: await importPrivateKey(unseal(masterKey, sealedKey, labelOf(cluster, uid))),
});

const clientLeaf = (cluster: string, { kind, id }: Principal): Omit<Leaf, 'publicKey'> => ({
  name: `${kind}/${id}`,
  uri: spiffeId(cluster, kind, id),
  dnsNames: [],
  addresses: [],
  lifetimeMs: 0,
  asServer: false,
  asClient: true,
});

const serverLeaf = ({ dnsNames, addresses, lifetimeMs }: ServerNames): Omit<Leaf, 'publicKey'> => {
  const [name = addresses[0]] = dnsNames;
  if (name === undefined) {
    throw invalidArgument('INVALID_FIELD', 'A server certificate needs at least one name');
  }
  const odd = addresses.find((address) => isIP(address) === 0);
  if (odd !== undefined) {
    throw invalidArgument('INVALID_FIELD', `"${odd}" is not an IP address`, {
      metadata: { address: odd },
    });
  }
  return {
    name,
    uri: '',
    dnsNames,
    addresses,
    lifetimeMs: lifetimeMs ?? SERVER_LIFETIME_MS,
    asServer: true,
    asClient: false,
  };
};

const knownOf = (cluster: string, certificate: X509Certificate): KnownCertificate | undefined => {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  const valuesOf = (type: string): string[] =>
    names.filter((name) => name.type === type).map((name) => name.value);
  for (const uri of valuesOf('url')) {
    const principal = parseSpiffeId(cluster, uri);
    if (principal === undefined) continue;
    const expireMs = certificate.notAfter.getTime();
    return {
      principal,
      serial: certificate.serialNumber.toUpperCase(),
      expireMs,
      // Without what signing takes off the beginning, else each renewal would grow by it.
      lifetimeMs: expireMs - certificate.notBefore.getTime() - BACKDATE_MS,
      publicKeyDer: Buffer.from(certificate.publicKey.rawData),
      dnsNames: valuesOf('dns'),
      addresses: valuesOf('ip'),
    };
  }
  return undefined;
};
