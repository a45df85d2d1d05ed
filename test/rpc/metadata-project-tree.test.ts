import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { newId, startMetadata } from './metadata-fixture.ts';
import { makeUser } from './metadata-people.ts';

const BAD_FIELD = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;

const start = async (t: Parameters<typeof startMetadata>[0]) => {
  const fixture = await startMetadata(t);
  const projects = createClient(ProjectService, fixture.admin);
  const make = async (projectId: string, parent = '') => {
    const spec = { parentProject: parent === '' ? '' : `projects/${parent}` };
    return (await projects.createProject({ projectId, project: { spec }, requestId: newId() }))
      .project;
  };
  return { fixture, projects, make };
};

test('a project lies in another that is there, at most eight deep', async (t) => {
  const { projects, make } = await start(t);
  await make('P1');
  for (let depth = 2; depth <= 8; depth += 1) await make(`p${depth}`, `p${depth - 1}`);
  const second = await projects.getProject({ name: 'projects/p2' });
  t.is(second.project?.spec?.parentProject, 'projects/P1', 'it is spelled as its parent is');
  const tooDeep = await refused(t, make('p9', 'p8'), BAD_FIELD);
  t.is(tooDeep.metadata.field, 'project.spec.parent_project');
  await refused(t, make('x', 'nobody'), BAD_FIELD);
  await refused(t, make('self', 'self'), BAD_FIELD);
  const elsewhere = projects.createProject({
    projectId: 'x',
    project: { spec: { parentProject: 'users/ann' } },
    requestId: newId(),
  });
  await refused(t, elsewhere, BAD_FIELD);
  const byUid = await make('other', second.project?.uid);
  t.is(byUid?.spec?.parentProject, 'projects/p2');
});

test('a project is deleted after those inside it, which are listed', async (t) => {
  const { projects, make } = await start(t);
  await make('top');
  await make('B', 'TOP');
  await make('a', 'top');
  const remove = (id: string) => projects.deleteProject({ name: `projects/${id}` });
  const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
  const error = await refused(t, remove('top'), inUse);
  t.is(error.metadata.children, 'projects/a,projects/B');
  await remove('a');
  t.is((await refused(t, remove('top'), inUse)).metadata.children, 'projects/B');
  await remove('b');
  await t.notThrowsAsync(remove('top'));
});

test('contacts are changed by mask, the parent is not', async (t) => {
  const { projects, make } = await start(t);
  await make('top');
  const made = await make('red', 'top');
  const name = 'projects/red';
  const update = (paths: string[], spec: object, etag = '') =>
    projects.updateProject({ project: { name, etag, spec }, updateMask: { paths } });
  const contacts = ['ann@example.org', 'ops@example.org'];
  const given = { contacts, displayName: 'ignored' };
  const { project: one } = await update(['spec.contacts'], given, made?.etag);
  t.like(one?.spec, { contacts, displayName: '', parentProject: 'projects/top' });
  t.is(one?.generation, 2n);
  t.deepEqual((await projects.getProject({ name })).project, one);
  const { project: same } = await update(['spec.contacts', 'spec.parent_project'], {
    contacts,
    parentProject: 'projects/TOP',
  });
  t.is(same?.generation, 2n);
  const stale = update(['spec.contacts'], {}, made?.etag);
  await refused(t, stale, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  await refused(t, update(['spec.parent_project'], {}), BAD_FIELD);
  await refused(t, update(['spec.contacts'], { contacts: ['no address'] }), BAD_FIELD);
  const wrongMask = update(['name'], {});
  await refused(t, wrongMask, { kind: 'invalid_argument', reason: 'MASK_INVALID' });
  t.deepEqual((await update(['spec.contacts'], {})).project?.spec?.contacts, []);
});

test('validate_only shows an update and writes nothing', async (t) => {
  const { projects, make } = await start(t);
  const made = await make('red');
  const { project } = await projects.updateProject({
    project: { name: 'projects/red', spec: { displayName: 'Reds' }, tags: ['x'] },
    updateMask: { paths: ['spec.display_name', 'tags'] },
    validateOnly: true,
  });
  t.is(project?.spec?.displayName, 'Reds');
  t.deepEqual(project?.tags, ['x']);
  t.deepEqual((await projects.getProject({ name: 'projects/red' })).project, made);
});

test('who administers a project changes it; a member and a stranger do not', async (t) => {
  const { fixture, make } = await start(t);
  await make('red');
  await make('blue');
  const project = 'projects/red';
  const as = async (user: string, role: string) =>
    createClient(ProjectService, await makeUser(fixture, user, { role, project }));
  const change = (client: typeof admin, name: string) =>
    client.updateProject({
      project: { name, spec: { contacts: ['a@example.org'] } },
      updateMask: { paths: ['spec.contacts'] },
    });
  const admin = await as('ann', 'roles/admin');
  t.deepEqual((await change(admin, project)).project?.spec?.contacts, ['a@example.org']);
  await refused(t, change(admin, 'projects/blue'), { kind: 'not_found', reason: 'NOT_FOUND' });
  const member = await as('bob', 'roles/member');
  await refused(t, change(member, project), { kind: 'permission_denied', reason: 'NOT_ALLOWED' });
});
