import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createRoot,
  exportPrivateKey,
  newKeys,
  privateKeyPem,
  signLeaf,
} from '../../services/metadata/authority/sign.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { silentLog } from '../../services/runtime/log.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openEtcdCoordination } from '../../services/store/coordination/etcd/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { writeWhole } from '../start/state-dir.ts';
import type { Program } from '../tools/program.ts';
import type { ProcessSpec } from './managed-process.ts';
import type { Places } from './places.ts';

export type EtcdOptions = {
  readonly places: Places;
  readonly etcd: Program;
  readonly port: number;
  readonly peerPort: number;
};

const LIFETIME_MS = 365 * 24 * 3_600_000;
const END_LIMIT_MS = 10_000;
const PING_MS = 1_000;

/** Files that a client needs. */
export const etcdClientFiles = (places: Places) => ({
  caFile: places.file('etcd/ca.crt'),
  certificateFile: places.file('etcd/client.crt'),
  keyFile: places.file('etcd/client.key'),
});

/** Makes the certificates and tells how etcd is started. */
export const prepareEtcd = async (options: EtcdOptions): Promise<ProcessSpec> => {
  const { places, etcd, port, peerPort } = options;
  await writeCertificates(places);
  const client = `https://127.0.0.1:${port}`;
  const peer = `https://127.0.0.1:${peerPort}`;
  const file = (name: string): string => places.file(join('etcd', name));
  return {
    name: 'etcd',
    path: etcd.path,
    args: [
      ...etcd.args,
      ...['--name=one', `--data-dir=${file('data')}`, `--initial-cluster=one=${peer}`],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
      ...['--client-cert-auth', `--trusted-ca-file=${file('ca.crt')}`],
      ...[`--cert-file=${file('server.crt')}`, `--key-file=${file('server.key')}`],
      ...['--peer-client-cert-auth', `--peer-trusted-ca-file=${file('ca.crt')}`],
      ...[`--peer-cert-file=${file('server.crt')}`, `--peer-key-file=${file('server.key')}`],
      // Old revisions: the scheduler's log are keys of their own and are not touched by this.
      ...['--auto-compaction-mode=periodic', '--auto-compaction-retention=1h'],
      ...['--logger=zap', '--log-level=warn'],
    ],
    env: etcd.env,
    cwd: places.dir,
    logFile: places.log('etcd'),
    endLimitMs: END_LIMIT_MS,
  };
};

/**
 * A CA of etcd's own. It must never be the installation's: every agent has a certificate of that
 * one, and etcd would let each of them write. Made anew at each start of the script; the CA's key
 * is not kept.
 */
const writeCertificates = async (places: Places): Promise<void> => {
  const now = { nowMs: systemClock.now().getTime(), random: systemRandom };
  const keys = await newKeys();
  const root = await createRoot('etcd', keys, now);
  const issuer = { certificate: root, privateKey: keys.privateKey };
  writeWhole(places.file('etcd/ca.crt'), `${root.toString('pem')}\n`, 0o644);
  for (const name of ['server', 'client']) {
    const own = await newKeys();
    const leaf = {
      name: `etcd ${name}`,
      uri: '',
      dnsNames: ['localhost'],
      addresses: ['127.0.0.1'],
      publicKey: own.publicKey,
      lifetimeMs: LIFETIME_MS,
      // A member is also the client of its peers.
      asServer: name === 'server',
      asClient: true,
    };
    const { pem } = await signLeaf(issuer, leaf, now);
    const key = privateKeyPem(await exportPrivateKey(own.privateKey));
    writeWhole(places.file(`etcd/${name}.key`), key, 0o600);
    writeWhole(places.file(`etcd/${name}.crt`), pem, 0o644);
  }
};

/** Where etcd is and with which files it is reached. */
export type EtcdAccess = Pick<EtcdOptions, 'places' | 'port'>;

/** A client; the caller closes it. */
export const openEtcd = ({ places, port }: EtcdAccess): Coordination => {
  const { caFile, certificateFile, keyFile } = etcdClientFiles(places);
  return openEtcdCoordination({
    endpoints: [`https://127.0.0.1:${port}`],
    tls: {
      ca: readFileSync(caFile),
      cert: readFileSync(certificateFile),
      key: readFileSync(keyFile),
    },
    clock: systemClock,
    random: systemRandom,
    log: silentLog(),
    callTimeoutMs: PING_MS,
  });
};

/** Resolves when etcd answers, rejects when it does not within a second. */
export const pingEtcd = async (access: EtcdAccess): Promise<void> => {
  const client = openEtcd(access);
  try {
    await client.ping(AbortSignal.timeout(PING_MS));
  } finally {
    await client.close();
  }
};
