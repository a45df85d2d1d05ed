import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { newId, startMetadata } from './metadata-fixture.ts';
import { makeUser } from './metadata-people.ts';

test('a project is created once per request id, and its name is taken in any case', async (t) => {
  const { admin } = await startMetadata(t);
  const projects = createClient(ProjectService, admin);
  const request = {
    projectId: 'Red',
    project: {
      spec: { displayName: 'The reds' },
      tags: ['a'],
      properties: { cost: { kind: { case: 'integerValue' as const, value: 2n ** 62n } } },
    },
    requestId: newId(),
  };
  const first = await projects.createProject(request);
  t.deepEqual(await projects.createProject(request), first);
  t.is(first.project?.name, 'projects/Red');
  t.is(first.project?.properties.cost?.kind.value, 2n ** 62n);
  const again = projects.createProject({ ...request, projectId: 'rED', requestId: newId() });
  await refused(t, again, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
  const reused = projects.createProject({ ...request, projectId: 'blue' });
  await refused(t, reused, { kind: 'invalid_argument', reason: 'REQUEST_ID_REUSED' });
  const byUid = await projects.getProject({ name: `projects/${first.project?.uid}` });
  t.is(byUid.project?.name, 'projects/Red');
  t.is((await projects.getProject({ name: 'projects/red' })).project?.uid, first.project?.uid);
});

test('validate_only checks a project and writes nothing', async (t) => {
  const { admin } = await startMetadata(t);
  const projects = createClient(ProjectService, admin);
  const ask = (projectId: string, validateOnly: boolean) =>
    projects.createProject({ projectId, project: {}, requestId: newId(), validateOnly });
  t.is((await ask('red', true)).project?.name, 'projects/red');
  t.deepEqual((await projects.listProjects({})).projects, []);
  await ask('red', false);
  await refused(t, ask('red', true), { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
});

test('projects are listed by pages in the order of their names', async (t) => {
  const { admin } = await startMetadata(t);
  const projects = createClient(ProjectService, admin);
  for (const projectId of ['c', 'B', 'a', 'd', 'E']) {
    await projects.createProject({ projectId, project: {}, requestId: newId() });
  }
  const names: string[] = [];
  let pageToken = '';
  do {
    const page = await projects.listProjects({ pageSize: 2, pageToken });
    t.true(page.projects.length <= 2);
    names.push(...page.projects.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.deepEqual(
    names,
    ['a', 'B', 'c', 'd', 'E'].map((id) => `projects/${id}`),
  );
  const wrong = projects.listProjects({ pageToken: 'nonsense' });
  await refused(t, wrong, { kind: 'invalid_argument', reason: 'PAGE_TOKEN_INVALID' });
});

test('a member sees his project and no other, and creates none', async (t) => {
  const fixture = await startMetadata(t);
  const projects = createClient(ProjectService, fixture.admin);
  for (const projectId of ['red', 'blue']) {
    await projects.createProject({ projectId, project: {}, requestId: newId() });
  }
  const grant = { role: 'roles/member', project: 'projects/red' };
  const member = createClient(ProjectService, await makeUser(fixture, 'ann', grant));
  t.deepEqual(
    (await member.listProjects({})).projects.map(({ name }) => name),
    ['projects/red'],
  );
  t.is((await member.getProject({ name: 'projects/red' })).project?.name, 'projects/red');
  const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  await refused(t, member.getProject({ name: 'projects/blue' }), foreign);
  const { project: blue } = await projects.getProject({ name: 'projects/blue' });
  await refused(t, member.getProject({ name: `projects/${blue?.uid}` }), foreign);
  const made = member.createProject({ projectId: 'x', project: {}, requestId: newId() });
  await refused(t, made, { kind: 'permission_denied', reason: 'NOT_ALLOWED' });
});

test('a project is deleted only when it owns nothing, and its grants go with it', async (t) => {
  const fixture = await startMetadata(t);
  const { admin, world } = fixture;
  const projects = createClient(ProjectService, admin);
  const users = createClient(UserService, admin);
  const { project } = await projects.createProject({
    projectId: 'red',
    project: {},
    requestId: newId(),
  });
  await makeUser(fixture, 'ann', { role: 'roles/member', project: 'projects/red' });
  const remove = (etag = '') => projects.deleteProject({ name: 'projects/red', etag });
  const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
  world.machines = 1;
  world.claims = [ClaimState.RELEASED, ClaimState.ACTIVE];
  const error = await refused(t, remove(), inUse);
  t.is(error.metadata.owned, 'machines,claims');
  world.machines = 0;
  t.is((await refused(t, remove(), inUse)).metadata.owned, 'claims');
  world.isSchedulerAway = true;
  await refused(t, remove(), { kind: 'unavailable', reason: 'NO_LEADER' });
  world.isSchedulerAway = false;
  world.claims = [ClaimState.RELEASED];
  await refused(t, remove('other'), { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  await remove(project?.etag);
  t.deepEqual((await users.getUser({ name: 'users/ann' })).user?.status?.grants, []);
  await refused(t, remove(), { kind: 'not_found', reason: 'NOT_FOUND' });
  await t.notThrowsAsync(projects.deleteProject({ name: 'projects/red', allowMissing: true }));
});

test('names that are no names are refused with the field', async (t) => {
  const { admin } = await startMetadata(t);
  const projects = createClient(ProjectService, admin);
  const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
  for (const projectId of ['', '-a', 'a/b', 'x'.repeat(64), 'é']) {
    const error = await refused(
      t,
      projects.createProject({ projectId, project: {}, requestId: newId() }),
      bad,
    );
    t.is(error.metadata.field, 'project_id');
  }
  await refused(t, projects.createProject({ projectId: 'a', project: {} }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
});
