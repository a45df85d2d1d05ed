import { X509Certificate } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { CertificateService } from '../../gen/runmachine/identity/v1/certificate_service_pb.ts';
import { IdentityService } from '../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { watchRevocations } from '../../services/store/coordination/revocations.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { silentLog } from '../support/silent-log.ts';
import { type MetadataFixture, newId, newSigner, startMetadata } from './metadata-fixture.ts';
import { makeToken, makeUser } from './metadata-people.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const bad = { kind: 'unauthenticated', reason: 'BAD_CREDENTIALS' } as const;
const badRequest = { kind: 'invalid_argument', reason: 'CSR_INVALID' } as const;

const trustOf = ({ admin }: MetadataFixture) => createClient(TrustService, admin);
const anybody = (fixture: MetadataFixture) => createClient(TrustService, fixture.asPerson());

const joinToken = async (fixture: MetadataFixture, agentId = 'host1', roles = ['vm']) => {
  const request = { parent: 'partitions/lab', roles, agentId, requestId: newId() };
  return (await trustOf(fixture).createJoinToken(request)).secret;
};

const joined = async (fixture: MetadataFixture, agentId = 'host1') => {
  const signer = await newSigner();
  const answer = await anybody(fixture).join({
    joinToken: await joinToken(fixture, agentId),
    csrPem: await signer.csrPem(),
    requestId: newId(),
  });
  return { signer, answer };
};

test('an agent joins once with its token and gets a certificate of 24 hours', async (t) => {
  const fixture = await startMetadata(t);
  const signer = await newSigner();
  const request = {
    joinToken: await joinToken(fixture),
    csrPem: await signer.csrPem('CN=admin,O=spiffe://test/service/machine'),
    agentId: 'ignored: the token names one'.slice(0, 7),
    requestId: newId(),
  };
  const answer = await anybody(fixture).join(request);
  t.is(answer.agent, 'partitions/lab/agents/host1');
  const certificate = new X509Certificate(answer.certificatePem);
  const ca = new X509Certificate(answer.caPem);
  t.true(certificate.checkIssued(ca));
  t.true(certificate.verify(ca.publicKey));
  t.is(certificate.subjectAltName, `URI:spiffe://test/agent/${answer.agentUid}`);
  t.is(certificate.subject, `CN=agent/${answer.agentUid}`);
  t.false(certificate.ca);
  const nowMs = fixture.clock.now().getTime();
  const lifeMs = Date.parse(certificate.validTo) - nowMs;
  t.true(lifeMs > 23 * HOUR_MS && lifeMs <= DAY_MS);
  // The answer was lost: the same request gets the same certificate, another one nothing.
  t.is((await anybody(fixture).join(request)).certificatePem, answer.certificatePem);
  const again = anybody(fixture).join({ ...request, requestId: newId() });
  await refused(t, again, { kind: 'unauthenticated', reason: 'TOKEN_BURNED' });
});

test('a join token that is unknown or too old is refused', async (t) => {
  const fixture = await startMetadata(t);
  const csrPem = await (await newSigner()).csrPem();
  const join = (token: string) =>
    anybody(fixture).join({ joinToken: token, csrPem, requestId: newId() });
  await refused(t, join('runm_guess'), { kind: 'unauthenticated', reason: 'JOIN_TOKEN_INVALID' });
  const secret = await joinToken(fixture);
  fixture.clock.shift(HOUR_MS + 1);
  await refused(t, join(secret), { kind: 'unauthenticated', reason: 'TOKEN_EXPIRED' });
});

test('two joins with one token at once make one agent', async (t) => {
  const fixture = await startMetadata(t);
  const token = await joinToken(fixture);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 4 }, async () =>
      anybody(fixture).join({
        joinToken: token,
        csrPem: await (await newSigner()).csrPem(),
        requestId: newId(),
      }),
    ),
  );
  t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('the name of an agent is free again only when that agent is revoked', async (t) => {
  const fixture = await startMetadata(t);
  const { answer } = await joined(fixture);
  await refused(t, joined(fixture, 'HOST1'), { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
  await trustOf(fixture).revokeAgent({ name: answer.agent });
  const second = await joined(fixture);
  t.is(second.answer.agent, answer.agent);
  t.not(second.answer.agentUid, answer.agentUid);
});

test('a join token for a partition that is not there or not the caller’s is refused', async (t) => {
  const fixture = await startMetadata(t);
  fixture.world.partitions.add('other');
  const operator = await makeUser(fixture, 'olga', {
    role: 'roles/operator',
    partition: 'partitions/lab',
  });
  const ask = (parent: string, transport = operator) =>
    createClient(TrustService, transport).createJoinToken({
      parent,
      roles: ['vm'],
      requestId: newId(),
    });
  t.regex((await ask('partitions/lab')).caFingerprint, /^[0-9a-f]{64}$/);
  const missing = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  await refused(t, ask('partitions/other'), missing);
  await refused(t, ask('partitions/nowhere', fixture.admin), missing);
});

const signers = test.macro({
  exec: async (t, algorithm: Parameters<typeof newSigner>[0], isAccepted: boolean) => {
    const fixture = await startMetadata(t);
    const signer = await newSigner(algorithm);
    const join = anybody(fixture).join({
      joinToken: await joinToken(fixture),
      csrPem: await signer.csrPem(),
      requestId: newId(),
    });
    if (isAccepted) t.truthy(new X509Certificate((await join).certificatePem).publicKey);
    else await refused(t, join, badRequest);
  },
  title: (name = '') => name,
});
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
};
test(
  'a request with a key on P-384 is signed',
  signers,
  {
    name: 'ECDSA',
    namedCurve: 'P-384',
    hash: 'SHA-384',
  },
  true,
);
test('a request with an Ed25519 key is signed', signers, { name: 'Ed25519' }, true);
test(
  'a request with an RSA key of 2048 bits is signed',
  signers,
  {
    ...RSA,
    modulusLength: 2048,
  },
  true,
);
test(
  'a request with an RSA key of 1024 bits is refused',
  signers,
  {
    ...RSA,
    modulusLength: 1024,
  },
  false,
);
test(
  'a request with a key on P-521 is refused',
  signers,
  {
    name: 'ECDSA',
    namedCurve: 'P-521',
    hash: 'SHA-512',
  },
  false,
);

test('a request that is broken or not signed by its key burns nothing', async (t) => {
  const fixture = await startMetadata(t);
  const token = await joinToken(fixture);
  const good = await (await newSigner()).csrPem();
  const der = Buffer.from(good.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  der[der.length - 4] = (der[der.length - 4] ?? 0) ^ 0xff;
  const forged =
    '-----BEGIN CERTIFICATE REQUEST-----\n' +
    `${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  const hostile = [
    forged,
    'hello',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    fixture.service.authority.caPem,
    `-----BEGIN CERTIFICATE REQUEST-----\n${'MIIB'.repeat(3000)}\n-----END CERTIFICATE REQUEST-----`,
    `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.alloc(9000, 0x30).toString('base64')}\n-----END CERTIFICATE REQUEST-----`,
  ];
  for (const csrPem of hostile) {
    await refused(
      t,
      anybody(fixture).join({ joinToken: token, csrPem, requestId: newId() }),
      badRequest,
    );
  }
  await t.notThrowsAsync(
    anybody(fixture).join({ joinToken: token, csrPem: good, requestId: newId() }),
  );
});

test('a certificate is renewed by its key, also 90 days after its end, and no later', async (t) => {
  const fixture = await startMetadata(t);
  const { signer, answer } = await joined(fixture);
  const renew = async (certificatePem: string, by = signer) =>
    anybody(fixture).renew({ certificatePem, csrPem: await by.csrPem() });
  const second = await renew(answer.certificatePem);
  t.not(second.certificatePem, answer.certificatePem);
  t.is(
    new X509Certificate(second.certificatePem).subjectAltName,
    new X509Certificate(answer.certificatePem).subjectAltName,
  );
  await refused(t, renew(answer.certificatePem, await newSigner()), badRequest);
  const stranger = await startMetadata(t);
  const other = await joined(stranger);
  await refused(t, renew(other.answer.certificatePem, other.signer), bad);
  await refused(t, renew(fixture.service.authority.caPem), bad);
  fixture.clock.shift(80 * DAY_MS);
  const late = await renew(second.certificatePem);
  fixture.clock.shift(92 * DAY_MS);
  await refused(t, renew(late.certificatePem), bad);
});

test('a revoked agent renews nothing, and every listener knows it', async (t) => {
  const fixture = await startMetadata(t);
  const { coordination, clock } = fixture;
  const { signer, answer } = await joined(fixture);
  const ended = new AbortController();
  t.teardown(() => ended.abort());
  const revocations = watchRevocations(
    { coordination, clock, random: systemRandom, log: silentLog },
    ended.signal,
  );
  await revocations.ready;
  const uriSan = `spiffe://test/agent/${answer.agentUid}`;
  const uris = [uriSan];
  t.false(revocations.isRevoked({ uris }));
  const asked = {
    credential: { case: 'certificate' as const, value: { uriSan, serial: '' } },
  };
  const service = createClient(TrustService, fixture.asService('machine'));
  const known = await service.introspect(asked);
  t.is(known.agent, 'partitions/lab/agents/host1');
  t.deepEqual(known.agentRoles, ['vm']);
  await trustOf(fixture).revokeAgent({ name: answer.agent, why: 'stolen' });
  await eventually(() => revocations.isRevoked({ uris }), { message: 'the revocation' });
  const revoked = { kind: 'unauthenticated', reason: 'CERTIFICATE_REVOKED' } as const;
  await refused(t, service.introspect(asked), revoked);
  const renewal = anybody(fixture).renew({
    certificatePem: answer.certificatePem,
    csrPem: await signer.csrPem(),
  });
  await refused(t, renewal, revoked);
  await t.notThrowsAsync(trustOf(fixture).revokeAgent({ name: answer.agent }));
  const nobody = trustOf(fixture).revokeAgent({ name: 'partitions/lab/agents/nobody' });
  await refused(t, nobody, { kind: 'not_found', reason: 'NOT_FOUND' });
});

test('only services introspect, and nobody reads another’s rights by it', async (t) => {
  const fixture = await startMetadata(t);
  const asked = { credential: { case: 'principal' as const, value: 'users/admin' } };
  const operator = await makeUser(fixture, 'olga', { role: 'roles/operator' });
  await refused(t, createClient(TrustService, operator).introspect(asked), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  await refused(t, anybody(fixture).introspect(asked), {
    kind: 'unauthenticated',
    reason: 'NO_CREDENTIALS',
  });
  const service = createClient(TrustService, fixture.asService('machine'));
  const admin = await service.introspect(asked);
  t.deepEqual(
    admin.grants.map(({ grant, permissions }) => [grant?.role, permissions]),
    [['roles/admin', ['*']]],
  );
  for (const value of ['users/ghost', 'apps/x', 'nonsense', '']) {
    const unknown = service.introspect({ credential: { case: 'principal', value } });
    await refused(t, unknown, bad);
  }
});

test('an application acts as its user by its certificate until that is deleted', async (t) => {
  const fixture = await startMetadata(t);
  const operator = await makeUser(fixture, 'olga', { role: 'roles/operator' });
  const own = createClient(CertificateService, operator);
  const signer = await newSigner();
  const { certificate } = await own.createCertificate({
    certificateId: 'ci',
    certificate: { spec: { csrPem: await signer.csrPem() } },
    requestId: newId(),
  });
  const pem = certificate?.status?.certificatePem ?? '';
  t.is(new X509Certificate(pem).subjectAltName, `URI:spiffe://test/app/${certificate?.uid}`);
  t.is(certificate?.status?.serial, new X509Certificate(pem).serialNumber);
  const service = createClient(TrustService, fixture.asService('machine'));
  const app = { credential: { case: 'principal' as const, value: `apps/${certificate?.uid}` } };
  const known = await service.introspect(app);
  t.deepEqual(
    known.grants.map(({ grant }) => grant?.role),
    ['roles/operator'],
  );
  const renewed = await anybody(fixture).renew({
    certificatePem: pem,
    csrPem: await signer.csrPem(),
  });
  const { certificate: now } = await own.getCertificate({ name: 'certificates/ci' });
  t.is(now?.status?.certificatePem, renewed.certificatePem);
  const ann = createClient(CertificateService, await makeUser(fixture, 'ann'));
  const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  await refused(t, ann.getCertificate({ name: 'certificates/ci' }), foreign);
  await refused(t, ann.deleteCertificate({ name: 'certificates/ci' }), foreign);
  t.deepEqual((await ann.listCertificates({})).certificates, []);
  await own.deleteCertificate({ name: 'certificates/ci' });
  await refused(t, service.introspect(app), bad);
  await refused(
    t,
    anybody(fixture).renew({ certificatePem: pem, csrPem: await signer.csrPem() }),
    bad,
  );
});

test('a limited token makes no certificate, which could not be limited', async (t) => {
  const fixture = await startMetadata(t);
  const users = createClient(UserService, fixture.admin);
  await makeUser(fixture, 'olga', { role: 'roles/operator' });
  await users.grantRole({
    name: 'users/olga',
    grant: { role: 'roles/reader', partition: 'partitions/lab' },
  });
  const limited = await makeToken(fixture.admin, 'olga', [
    { role: 'roles/reader', partition: 'partitions/lab' },
  ]);
  const csrPem = await (await newSigner()).csrPem();
  const made = createClient(CertificateService, fixture.asPerson(limited)).createCertificate({
    certificateId: 'ci',
    certificate: { spec: { csrPem } },
    requestId: newId(),
  });
  await refused(t, made, { kind: 'permission_denied', reason: 'NOT_ALLOWED' });
});

test('anybody reads the trust bundle, and the identity of nobody is nobody’s', async (t) => {
  const fixture = await startMetadata(t);
  const bundle = await anybody(fixture).getTrustBundle({});
  t.is(bundle.cluster, 'test');
  const { fingerprint256 } = new X509Certificate(bundle.caPem);
  t.is(bundle.caFingerprint, fingerprint256.replaceAll(':', '').toLowerCase());
  await refused(t, createClient(IdentityService, fixture.asPerson('wrong')).whoAmI({}), bad);
});
