/** What is kept of secrets, who sees it, and that no value is anywhere else; on both databases. */
import { createClient, type Transport } from '@connectrpc/connect';
import type { ExecutionContext } from 'ava';
import { sql } from 'kysely';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { metadataMigrations } from '../../services/metadata/store/migrations.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openSql } from '../../services/store/sql/open.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { silentLog } from '../support/silent-log.ts';
import { newId, startMetadata } from './metadata-fixture.ts';
import { makeUser } from './metadata-people.ts';

export type SecretsSubject = {
  /** AVA's `test` or `test.serial`. */
  readonly test: (title: string, run: (t: ExecutionContext) => Promise<void>) => void;
  /** An empty database; absent = SQLite. */
  readonly createUrl?: () => Promise<string>;
};

const BMC = 'projects/red/secrets/bmc';
const PASSWORD = 'correct-horse-battery';
const data = { user: 'root', password: PASSWORD };
const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;
const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;

const startProjects = async (t: ExecutionContext, { createUrl }: SecretsSubject) => {
  const url = await createUrl?.();
  const fixture = await startMetadata(t, url === undefined ? {} : { url });
  const projects = createClient(ProjectService, fixture.admin);
  for (const projectId of ['red', 'blue']) {
    await projects.createProject({ projectId, project: {}, requestId: newId() });
  }
  const at = (transport: Transport) => createClient(SecretService, transport);
  const secrets = at(fixture.admin);
  const services = at(fixture.asService('machine'));
  const make = (secretId = 'bmc', parent = 'projects/red') =>
    secrets.createSecret({ parent, secretId, data, requestId: newId() });
  /** Everything that the database holds, as text. */
  const everything = async (): Promise<string> => {
    // The service may be in the midst of a write.
    const store = await eventually(() =>
      openSql({
        service: 'metadata',
        url: url ?? `sqlite:${fixture.dir}/metadata.db`,
        entities: [],
        migrations: metadataMigrations,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
      }),
    );
    try {
      const texts: string[] = [];
      for (const table of ['secret', 'audit', 'request', 'change']) {
        const { rows } = await store.read((reader) =>
          sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(reader.kysely()),
        );
        texts.push(
          table,
          JSON.stringify(rows, (_, value) => asText(value)),
        );
      }
      return texts.join('\n');
    } finally {
      await store.close();
    }
  };
  return { fixture, projects, at, secrets, services, make, everything };
};

// Bytes of answers are shown as the text that they would be.
const asText = (value: unknown): unknown => {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return value;
};

export const metadataSecretsSuite = (subject: SecretsSubject): void => {
  const { test } = subject;

  test('a secret is created once per request id, and its values are told to services only', async (t) => {
    const { secrets, services } = await startProjects(t, subject);
    const request = {
      parent: 'projects/Red',
      secretId: 'BMC',
      description: 'rack 1',
      data,
      requestId: newId(),
    };
    const first = await secrets.createSecret(request);
    t.deepEqual(await secrets.createSecret(request), first);
    t.like(first.secret, { name: 'projects/red/secrets/BMC', description: 'rack 1' });
    t.deepEqual(first.secret?.keys, ['password', 'user']);
    t.is(first.secret?.generation, 1n);
    t.is(first.secret?.stageTime, undefined);
    t.false(JSON.stringify(first, (_, v) => asText(v)).includes(PASSWORD));
    const other = { ...request, data: { ...data, password: 'another' } };
    await refused(t, secrets.createSecret(other), {
      kind: 'invalid_argument',
      reason: 'REQUEST_ID_REUSED',
    });
    await refused(t, secrets.createSecret({ ...request, requestId: newId() }), {
      kind: 'already_exists',
      reason: 'ALREADY_EXISTS',
    });
    const revealed = await services.revealSecret({ name: BMC, purpose: 'agents/a' });
    t.deepEqual(revealed.data, data);
    t.deepEqual(revealed.stagedData, {});
    t.is(revealed.generation, 1n);
    const byUid = await services.revealSecret({
      name: `projects/red/secrets/${first.secret?.uid}`,
    });
    t.deepEqual(byUid.data, data);
  });

  test('no value of a secret lies in the database, and each reading of one is audited', async (t) => {
    const { secrets, services, make, everything } = await startProjects(t, subject);
    await make();
    await secrets.stageSecret({ name: BMC, data: { password: 'staple' }, requestId: newId() });
    await services.revealSecret({ name: BMC, purpose: 'partitions/lab/agents/one' });
    await secrets.promoteSecret({ name: BMC, requestId: newId() });
    await secrets.updateSecret({ name: BMC, data, requestId: newId() });
    const text = await everything();
    t.regex(text, /secret\.reveal/);
    t.regex(text, /partitions\/lab\/agents\/one/);
    t.regex(text, /secret\.promote/);
    t.false(text.includes(PASSWORD));
    t.false(text.includes('staple'));
  });

  test('whoever holds every permission still reads no value', async (t) => {
    const { fixture, at, secrets, make } = await startProjects(t, subject);
    await make();
    await refused(t, secrets.revealSecret({ name: BMC }), denied);
    const operator = at(await makeUser(fixture, 'otto', { role: 'roles/operator' }));
    await refused(t, operator.revealSecret({ name: BMC }), denied);
    t.is((await operator.getSecret({ name: BMC })).secret?.name, BMC);
  });

  test('staged values take the place of the present ones when they are promoted', async (t) => {
    const { secrets, services, make } = await startProjects(t, subject);
    const made = (await make()).secret;
    const next = { user: 'root', password: 'staple' };
    const staged = await secrets.stageSecret({
      name: BMC,
      data: next,
      etag: made?.etag ?? '',
      requestId: newId(),
    });
    t.is(staged.secret?.generation, 1n);
    t.truthy(staged.secret?.stageTime);
    const both = await services.revealSecret({ name: BMC });
    t.deepEqual([both.data, both.stagedData], [data, next]);
    await t.notThrowsAsync(secrets.stageSecret({ name: BMC, data: next, requestId: newId() }));
    const other = secrets.stageSecret({ name: BMC, data, requestId: newId() });
    await refused(t, other, { kind: 'failed_precondition', reason: 'INVALID_STATE' });
    const promoted = await secrets.promoteSecret({ name: BMC, requestId: newId() });
    t.is(promoted.secret?.generation, 2n);
    t.is(promoted.secret?.stageTime, undefined);
    t.deepEqual((await services.revealSecret({ name: BMC })).data, next);
    const again = await secrets.promoteSecret({ name: BMC, requestId: newId() });
    t.is(again.secret?.generation, 2n);
    t.deepEqual((await services.revealSecret({ name: BMC })).data, next);
  });

  test('an update replaces all values and drops staged ones; an old etag is refused', async (t) => {
    const { secrets, services, make } = await startProjects(t, subject);
    const made = (await make()).secret;
    await secrets.stageSecret({ name: BMC, data: { a: 'b' }, requestId: newId() });
    const stale = secrets.updateSecret({ name: BMC, data: { token: 't' }, etag: made?.etag ?? '' });
    await refused(t, stale, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
    const { secret } = await secrets.updateSecret({ name: BMC, data: { token: 't' } });
    t.deepEqual([secret?.keys, secret?.generation], [['token'], 2n]);
    const revealed = await services.revealSecret({ name: BMC });
    t.deepEqual([revealed.data, revealed.stagedData], [{ token: 't' }, {}]);
  });

  test('a stranger sees no secret, and a member those of his projects', async (t) => {
    const { fixture, at, secrets, make } = await startProjects(t, subject);
    await make();
    await make('bmc', 'projects/blue');
    const member = at(
      await makeUser(fixture, 'ann', { role: 'roles/member', project: 'projects/blue' }),
    );
    const namesOf = async (client: typeof member, parent: string) =>
      (await client.listSecrets({ parent })).secrets.map(({ name }) => name);
    t.deepEqual(await namesOf(secrets, 'projects/-'), [
      'projects/blue/secrets/bmc',
      'projects/red/secrets/bmc',
    ]);
    t.deepEqual(await namesOf(member, 'projects/-'), ['projects/blue/secrets/bmc']);
    await refused(t, member.listSecrets({ parent: 'projects/red' }), foreign);
    await refused(t, member.getSecret({ name: BMC }), foreign);
    await refused(t, member.updateSecret({ name: BMC, data }), foreign);
    await refused(t, member.deleteSecret({ name: BMC, allowMissing: true }), foreign);
    await refused(t, member.stageSecret({ name: BMC, data, requestId: newId() }), foreign);
    await refused(t, member.revealSecret({ name: 'projects/blue/secrets/bmc' }), denied);
    const { secret: red } = await secrets.getSecret({ name: BMC });
    const byUid = member.getSecret({ name: `projects/blue/secrets/${red?.uid}` });
    await refused(t, byUid, foreign);
    const reader = at(
      await makeUser(fixture, 'rob', { role: 'roles/reader', project: 'projects/blue' }),
    );
    await refused(t, reader.listSecrets({ parent: 'projects/-' }), denied);
    await refused(t, reader.getSecret({ name: 'projects/blue/secrets/bmc' }), denied);
  });

  test('secrets are listed by pages in the order of projects and names', async (t) => {
    const { secrets, make } = await startProjects(t, subject);
    for (const id of ['c', 'B', 'a']) await make(id);
    await make('z', 'projects/blue');
    const names: string[] = [];
    let pageToken = '';
    do {
      const page = await secrets.listSecrets({ parent: 'projects/-', pageSize: 2, pageToken });
      names.push(...page.secrets.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    t.deepEqual(names, [
      'projects/blue/secrets/z',
      'projects/red/secrets/a',
      'projects/red/secrets/B',
      'projects/red/secrets/c',
    ]);
  });

  test('what is wrong with values is told without them', async (t) => {
    const { secrets } = await startProjects(t, subject);
    const ask = (values: Record<string, string>) =>
      secrets.createSecret({
        parent: 'projects/red',
        secretId: 'x',
        data: values,
        requestId: newId(),
      });
    for (const values of [
      { Password: PASSWORD },
      { password: PASSWORD.repeat(5_000) },
      Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`k${n}`, PASSWORD.repeat(1_000)])),
      Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, PASSWORD])),
      {},
    ]) {
      const error = await refused(t, ask(values), bad);
      t.regex(error.metadata.field ?? '', /^data/);
      const told = JSON.stringify([error.message, error.metadata, error.extras]);
      t.false(told.includes('correct-horse'), told);
    }
  });

  test('a project that has secrets is not deleted', async (t) => {
    const { secrets, projects, make } = await startProjects(t, subject);
    await make();
    const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
    const error = await refused(t, projects.deleteProject({ name: 'projects/red' }), inUse);
    t.is(error.metadata.owned, 'secrets');
    await secrets.deleteSecret({ name: BMC });
    await refused(t, secrets.deleteSecret({ name: BMC }), foreign);
    await t.notThrowsAsync(secrets.deleteSecret({ name: BMC, allowMissing: true }));
    await t.notThrowsAsync(projects.deleteProject({ name: 'projects/red' }));
    const late = secrets.createSecret({
      parent: 'projects/red',
      secretId: 'x',
      data,
      requestId: newId(),
    });
    await refused(t, late, foreign);
  });
};
