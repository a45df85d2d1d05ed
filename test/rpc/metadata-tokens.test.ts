import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { IdentityService } from '../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import {
  CreateTokenRequestSchema,
  TokenService,
} from '../../gen/runmachine/identity/v1/token_service_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { type MetadataFixture, newId, startMetadata } from './metadata-fixture.ts';
import { makeToken, makeUser } from './metadata-people.ts';

const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;
const bad = { kind: 'unauthenticated', reason: 'BAD_CREDENTIALS' } as const;
const DAY_S = 24n * 3600n;

const whoAmI = (fixture: MetadataFixture, token: string) =>
  createClient(IdentityService, fixture.asPerson(token)).whoAmI({});

test('a token is told once, kept as a hash, and its answer is sealed', async (t) => {
  const fixture = await startMetadata(t);
  const tokens = createClient(TokenService, fixture.admin);
  const request = create(CreateTokenRequestSchema, {
    tokenId: 'ci',
    token: { spec: { lifetime: { seconds: DAY_S } } },
    requestId: newId(),
  });
  const made = await tokens.createToken(request);
  t.regex(made.secret, /^runm_[0-9A-Za-z]{43}$/);
  t.is((await tokens.createToken(request)).secret, made.secret);
  t.is((await whoAmI(fixture, made.secret)).principal, 'users/admin');
  const { token } = await tokens.getToken({ name: 'tokens/ci' });
  t.is(token?.spec?.user, 'users/admin');
  t.is(token?.spec?.lifetime?.seconds, DAY_S);
  // Neither the rows nor the stored answer of the request may hold it.
  const database = new DatabaseSync(join(fixture.dir, 'metadata.db'), { readOnly: true });
  for (const table of ['token', 'request', 'audit', 'change']) {
    const rows = database.prepare(`select * from "${table}"`).all();
    const text = JSON.stringify(rows, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    );
    t.false(text.includes(made.secret), table);
  }
  database.close();
});

test('an ended token is refused', async (t) => {
  const fixture = await startMetadata(t);
  const tokens = createClient(TokenService, fixture.admin);
  const { secret } = await tokens.createToken({
    tokenId: 'short',
    token: { spec: { lifetime: { seconds: 600n } } },
    requestId: newId(),
  });
  await whoAmI(fixture, secret);
  // The test itself takes some of its time.
  fixture.clock.shift(540_000);
  await whoAmI(fixture, secret);
  fixture.clock.shift(60_000);
  await refused(t, whoAmI(fixture, secret), bad);
  const trust = createClient(TrustService, fixture.asService('machine'));
  const value = createHash('sha256').update(secret).digest();
  await refused(t, trust.introspect({ credential: { case: 'tokenHash', value } }), {
    kind: 'unauthenticated',
    reason: 'TOKEN_EXPIRED',
  });
});

test('a deleted token is refused once the ten seconds of the cache are over', async (t) => {
  const fixture = await startMetadata(t, { cacheMs: 10_000 });
  const tokens = createClient(TokenService, fixture.admin);
  const { secret } = await tokens.createToken({ tokenId: 'x', token: {}, requestId: newId() });
  await whoAmI(fixture, secret);
  await tokens.deleteToken({ name: 'tokens/x' });
  fixture.clock.shift(10_001);
  await refused(t, whoAmI(fixture, secret), bad);
  await refused(t, tokens.deleteToken({ name: 'tokens/x' }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
});

test('a limited token may do less than its user, and loses what its user loses', async (t) => {
  const fixture = await startMetadata(t);
  const projects = createClient(ProjectService, fixture.admin);
  for (const projectId of ['red', 'blue']) {
    await projects.createProject({ projectId, project: {}, requestId: newId() });
  }
  const limit = { role: 'roles/admin', project: 'projects/red' };
  const secret = await makeToken(fixture.admin, '', [limit]);
  const limited = createClient(ProjectService, fixture.asPerson(secret));
  t.deepEqual(
    (await limited.listProjects({})).projects.map(({ name }) => name),
    ['projects/red'],
  );
  // It makes nothing that reaches further than itself.
  await refused(t, makeToken(fixture.asPerson(secret), ''), denied);
  await refused(t, makeToken(fixture.asPerson(secret), '', [{ role: 'roles/admin' }]), denied);
  const child = await makeToken(fixture.asPerson(secret), '', [limit]);
  t.is((await whoAmI(fixture, child)).grants.length, 1);
});

test('nobody makes a token with a role that its user does not hold', async (t) => {
  const fixture = await startMetadata(t);
  await makeUser(fixture, 'ann', { role: 'roles/reader', partition: 'partitions/lab' });
  const wide = makeToken(fixture.admin, 'ann', [{ role: 'roles/reader' }]);
  await refused(t, wide, denied);
  const other = makeToken(fixture.admin, 'ann', [{ role: 'roles/admin' }]);
  await refused(t, other, denied);
  const ghost = makeToken(fixture.admin, 'ghost');
  await refused(t, ghost, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
});

test('who is no administrator sees, makes and deletes only his own tokens', async (t) => {
  const fixture = await startMetadata(t);
  const ann = await makeUser(fixture, 'ann', { role: 'roles/operator' });
  const own = createClient(TokenService, ann);
  await own.createToken({ tokenId: 'mine', token: {}, requestId: newId() });
  const listed = await own.listTokens({});
  t.true(listed.tokens.every(({ spec }) => spec?.user === 'users/ann'));
  t.true(listed.tokens.some(({ name }) => name === 'tokens/mine'));
  const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  await refused(t, own.getToken({ name: 'tokens/local-admin' }), foreign);
  await refused(t, own.deleteToken({ name: 'tokens/local-admin' }), foreign);
  await t.notThrowsAsync(own.deleteToken({ name: 'tokens/local-admin', allowMissing: true }));
  t.is((await whoAmI(fixture, fixture.adminToken)).principal, 'users/admin');
  await refused(t, makeToken(ann, 'admin'), denied);
  await refused(t, makeToken(ann, 'ghost'), denied);
  const all = await createClient(TokenService, fixture.admin).listTokens({ pageSize: 1 });
  t.not(all.nextPageToken, '');
  await own.deleteToken({ name: 'tokens/mine' });
});
