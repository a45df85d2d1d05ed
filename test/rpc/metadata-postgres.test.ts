import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { DefinitionService } from '../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { TokenService } from '../../gen/runmachine/identity/v1/token_service_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { openAuthorityAlone } from '../../services/metadata/main.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { needs } from '../needs.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { refused } from '../support/rpc-errors.ts';
import { silentLog } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { newId, newSigner, startMetadata } from './metadata-fixture.ts';
import { makeToken, makeUser } from './metadata-people.ts';

/**
 * What differs between the databases: concurrency and types of columns. The rest is tested on
 * SQLite.
 */
const need = needs('postgres');
const { test } = need;
let server: TestPostgres;

test.before(async () => {
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
});

const ADMIN = { role: 'roles/admin' };

test('of two administrators that remove each other at the same moment one stays', async (t) => {
  const fixture = await startMetadata(t, { url: await server.createDatabase() });
  await makeUser(fixture, 'ann', ADMIN);
  const users = createClient(UserService, fixture.admin);
  const outcomes = await Promise.allSettled([
    users.revokeRole({ name: 'users/admin', grant: ADMIN }),
    users.revokeRole({ name: 'users/ann', grant: ADMIN }),
    users.deleteUser({ name: 'users/ann' }),
  ]);
  t.true(outcomes.some(({ status }) => status === 'rejected'));
  const trust = createClient(TrustService, fixture.asService('machine'));
  const grantsOf = async (value: string) =>
    (await trust.introspect({ credential: { case: 'principal', value } })).grants.length;
  const counts = await Promise.all([
    grantsOf('users/admin').catch(() => 0),
    grantsOf('users/ann').catch(() => 0),
  ]);
  t.true(counts.includes(1));
});

test('replicas that start together on an empty database share one CA', async (t) => {
  const url = await server.createDatabase();
  using dir = temporaryDir();
  const masterKeyFile = join(dir.path, 'key');
  await writeFile(masterKeyFile, 'ab'.repeat(32), { mode: 0o600 });
  const opened = await Promise.all(
    Array.from({ length: 3 }, () =>
      openAuthorityAlone({
        url,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        cluster: 'test',
        masterKeyFile,
      }),
    ),
  );
  t.is(new Set(opened.map(({ authority }) => authority.caFingerprint)).size, 1);
  await Promise.all(opened.map((one) => one[Symbol.asyncDispose]()));
});

test('many joins with one token at once make one agent', async (t) => {
  const fixture = await startMetadata(t, { url: await server.createDatabase() });
  const trust = createClient(TrustService, fixture.admin);
  const { secret } = await trust.createJoinToken({
    parent: 'partitions/lab',
    roles: ['vm'],
    requestId: newId(),
  });
  const csrPem = await (await newSigner()).csrPem();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, () => trust.join({ joinToken: secret, csrPem, requestId: newId() })),
  );
  t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('projects, users and tokens are kept, listed and removed', async (t) => {
  const fixture = await startMetadata(t, { url: await server.createDatabase() });
  const projects = createClient(ProjectService, fixture.admin);
  for (const projectId of ['b', 'A', 'c']) {
    await projects.createProject({ projectId, project: {}, requestId: newId() });
  }
  const first = await projects.listProjects({ pageSize: 2 });
  const second = await projects.listProjects({ pageSize: 2, pageToken: first.nextPageToken });
  t.deepEqual(
    [...first.projects, ...second.projects].map(({ name }) => name),
    ['projects/A', 'projects/b', 'projects/c'],
  );
  const again = projects.createProject({ projectId: 'a', project: {}, requestId: newId() });
  await refused(t, again, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
  await makeUser(fixture, 'ann', { role: 'roles/member', project: 'projects/A' });
  await makeToken(fixture.admin, 'ann');
  await projects.deleteProject({ name: 'projects/a' });
  await createClient(UserService, fixture.admin).deleteUser({ name: 'users/ann' });
  const { tokens } = await createClient(TokenService, fixture.admin).listTokens({});
  t.deepEqual(
    tokens.map(({ name }) => name),
    ['tokens/local-admin'],
  );
});

test('of a child and the deletion of its parent at the same moment one is refused', async (t) => {
  const fixture = await startMetadata(t, { url: await server.createDatabase() });
  const projects = createClient(ProjectService, fixture.admin);
  for (let round = 0; round < 10; round += 1) {
    const parent = `top-${round}`;
    await projects.createProject({ projectId: parent, project: {}, requestId: newId() });
    const [made, removed] = await Promise.allSettled([
      projects.createProject({
        projectId: `child-${round}`,
        project: { spec: { parentProject: `projects/${parent}` } },
        requestId: newId(),
      }),
      projects.deleteProject({ name: `projects/${parent}` }),
    ]);
    t.deepEqual([made.status, removed.status].toSorted(), ['fulfilled', 'rejected'], parent);
  }
});

test('a definition is set by one of two editors and read back', async (t) => {
  const fixture = await startMetadata(t, { url: await server.createDatabase() });
  const definitions = createClient(DefinitionService, fixture.admin);
  const name = 'definitions/runm.provider';
  const { definition } = await definitions.getDefinition({ name });
  const outcomes = await Promise.allSettled(
    ['a', 'b'].map((key) =>
      definitions.setDefinition({
        definition: { name, etag: definition?.etag ?? '', spec: { properties: [{ key }] } },
      }),
    ),
  );
  t.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  const after = (await definitions.getDefinition({ name })).definition;
  t.is(after?.generation, 1n);
  t.is(after?.spec?.properties.length, 1);
});
