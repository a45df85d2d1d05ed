import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { createRouterTransport } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import {
  createMetadataService,
  grantsOfKind,
  type MetadataConfig,
  openAuthorityAlone,
} from '../../services/metadata/main.ts';
import { metadataMigrations } from '../../services/metadata/store/migrations.ts';
import { metadataRecords as records } from '../../services/metadata/store/records.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { serviceIdentity } from '../../services/runtime/identity.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createIntrospection } from '../../services/runtime/rpc/introspection.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { openSql } from '../../services/store/sql/open.ts';
import { guardedTransports } from '../support/guarded-transports.ts';
import { silentLog } from '../support/silent-log.ts';
import { PATIENCE } from '../support/store-patience.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const parts = { clock: systemClock, random: systemRandom, log: silentLog };

const newDir = (t: ExecutionContext): string => {
  const dir = temporaryDir({ inMemory: true });
  t.teardown(() => dir[Symbol.dispose]());
  return dir.path;
};

/** The service as one start of a process has it; closed with the test or by `stop`. */
const startIn = async (t: ExecutionContext, dir: string, config: Partial<MetadataConfig> = {}) => {
  const coordination = openEmbeddedCoordination({ ...parts, file: ':memory:' });
  t.teardown(() => coordination.close());
  const service = await createMetadataService({
    ...parts,
    config: { masterKeyFile: join(dir, 'keys', 'master.key'), createMasterKey: true, ...config },
    sql: { url: `sqlite:${join(dir, 'metadata.db')}`, limits: PATIENCE },
    coordination,
    connect: {
      transportTo: () => createRouterTransport(() => undefined),
      transportToAddress: () => createRouterTransport(() => undefined),
    },
    cluster: 'test',
    replica: { id: 'one', address: '127.0.0.1:1' },
  });
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) await service.stop();
    isStopped = true;
  };
  t.teardown(stop);
  const { asService } = guardedTransports({
    clock: systemClock,
    implementations: () => service.implementations,
    authenticate: () => serviceIdentity('machine', grantsOfKind('service')),
  });
  const { introspect } = createIntrospection(asService('machine'));
  const whose = async (token: string) =>
    (await introspect(token.trim(), AbortSignal.timeout(60_000)))?.principal;
  return { service, stop, whose };
};

test('the administrator’s token is written once, readable by its owner only', async (t) => {
  const dir = newDir(t);
  const file = join(dir, 'secrets', 'admin.token');
  const first = await startIn(t, dir);
  await first.service.ensureAdminToken(file);
  const token = await readFile(file, 'utf8');
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.is(await first.whose(token), 'users/admin');
  await first.service.ensureAdminToken(file);
  await first.stop();
  const second = await startIn(t, dir);
  await second.service.ensureAdminToken(file);
  t.is(await readFile(file, 'utf8'), token);
});

test('a lost, cut or foreign token file is replaced, and the earlier token ends', async (t) => {
  const dir = newDir(t);
  const file = join(dir, 'admin.token');
  const { service, whose } = await startIn(t, dir);
  await service.ensureAdminToken(file);
  let before = await readFile(file, 'utf8');
  const spoil = [
    () => rm(file),
    () => writeFile(file, before.slice(0, 20)),
    // A crash after the record and before the file leaves what an earlier start wrote.
    () => writeFile(file, 'runm_of_another_installation\n'),
  ];
  for (const spoiled of spoil) {
    await spoiled();
    await service.ensureAdminToken(file);
    const now = await readFile(file, 'utf8');
    t.not(now, before);
    t.is(await whose(now), 'users/admin');
    t.is(await whose(before), undefined);
    before = now;
  }
});

test('a bootstrap token makes the administrator once and is burned for ever', async (t) => {
  const dir = newDir(t);
  const bootstrapTokenFile = join(dir, 'bootstrap');
  const secret = 'b'.repeat(40);
  await writeFile(bootstrapTokenFile, `${secret}\n`, { mode: 0o600 });
  const first = await startIn(t, dir, { bootstrapTokenFile });
  t.is(await first.whose(secret), 'users/admin');
  await first.stop();
  // Somebody takes the token back; the next start with the same file must not bring it again.
  const store = await openSql({
    ...parts,
    service: 'metadata',
    url: `sqlite:${join(dir, 'metadata.db')}`,
    entities: [],
    migrations: metadataMigrations,
  });
  await store.transaction(undefined, { principal: 'test', requestId: 'r' }, async (tx) => {
    const admin = await records.users.find(tx, 'admin');
    await records.tokens.removeOfUser(tx, admin?.uid ?? '');
  });
  await store.close();
  const second = await startIn(t, dir, { bootstrapTokenFile });
  t.is(await second.whose(secret), undefined);
});

const refusedStart = test.macro({
  exec: async (t, reason: string, prepare: (dir: string) => Promise<Partial<MetadataConfig>>) => {
    const dir = newDir(t);
    const error = await t.throwsAsync(startIn(t, dir, await prepare(dir)));
    t.true(isDomainError(error, 'failed_precondition', reason), String(error));
  },
  title: (name = '') => name,
});

const written = async (dir: string, text: string, mode = 0o600): Promise<string> => {
  const file = join(dir, 'file');
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
};

test(
  'a missing master key is told with how to make one',
  refusedStart,
  'MASTER_KEY_MISSING',
  async (dir) => ({
    masterKeyFile: join(dir, 'none'),
    createMasterKey: false,
  }),
);
test(
  'a master key that others may read is refused',
  refusedStart,
  'MASTER_KEY_EXPOSED',
  async (dir) => ({
    masterKeyFile: await written(dir, 'ab'.repeat(32), 0o640),
  }),
);
test(
  'a master key of another form is refused',
  refusedStart,
  'MASTER_KEY_INVALID',
  async (dir) => ({
    masterKeyFile: await written(dir, 'too short'),
  }),
);
test(
  'a missing bootstrap token file is told',
  refusedStart,
  'BOOTSTRAP_TOKEN_MISSING',
  async (dir) => ({
    bootstrapTokenFile: join(dir, 'none'),
  }),
);
test('a short bootstrap token is refused', refusedStart, 'BOOTSTRAP_TOKEN_WEAK', async (dir) => ({
  bootstrapTokenFile: await written(dir, 'admin'),
}));
test(
  'a bootstrap token that others may read is refused',
  refusedStart,
  'BOOTSTRAP_TOKEN_EXPOSED',
  async (dir) => ({
    bootstrapTokenFile: await written(dir, 'c'.repeat(40), 0o644),
  }),
);

test('the CA is made once and opened by its master key only', async (t) => {
  const dir = newDir(t);
  const first = await startIn(t, dir);
  const { caPem } = first.service.authority;
  await first.stop();
  const alone = {
    ...parts,
    url: `sqlite:${join(dir, 'metadata.db')}`,
    cluster: 'test',
    masterKeyFile: join(dir, 'keys', 'master.key'),
  };
  {
    await using again = await openAuthorityAlone(alone);
    t.is(again.authority.caPem, caPem);
  }
  const masterKeyFile = await written(dir, 'cd'.repeat(32));
  const wrong = await t.throwsAsync(openAuthorityAlone({ ...alone, masterKeyFile }));
  t.true(isDomainError(wrong, 'failed_precondition', 'MASTER_KEY_WRONG'));
});

test('certificates of services and of the people’s listener hold in a handshake', async (t) => {
  const { service } = await startIn(t, newDir(t));
  const { authority } = service;
  const names = { dnsNames: ['localhost'], addresses: ['127.0.0.1', '::1'] };
  const server = await authority.issueServerCertificate(names);
  const machine = await authority.issueServiceCertificate({ name: 'machine', ...names });
  t.regex(
    new X509Certificate(machine.certificate).subjectAltName ?? '',
    /URI:spiffe:\/\/test\/service\/machine/,
  );
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: server.ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  listener.on('secureConnection', (socket) =>
    socket.end(socket.getPeerX509Certificate()?.subject ?? 'nobody'),
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  const { port } = listener.address() as AddressInfo;
  const { certificate: cert, key, ca } = machine;
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', cert, key, ca });
  const [told] = await once(socket, 'data');
  t.is(String(told), 'CN=service/machine');
  // An agent that knows only the fingerprint finds the root in what the listener shows.
  const shown = server.certificate.match(/-----BEGIN[^-]+-----/g) ?? [];
  t.is(shown.length, 2);
  await t.throwsAsync(authority.issueServerCertificate({ dnsNames: [], addresses: [] }));
  await t.throwsAsync(authority.issueServerCertificate({ dnsNames: [], addresses: ['nowhere'] }));
});

test('the agent of this host joins again when it has lost its key', async (t) => {
  const { service } = await startIn(t, newDir(t));
  const wanted = { partition: 'lab', agentId: 'host1', roles: ['vm'] };
  const first = await service.createLocalJoinToken(wanted);
  t.regex(first, /^runm_/);
  t.not(await service.createLocalJoinToken(wanted), first);
});
