import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { IdentityService } from '../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { RoleService } from '../../gen/runmachine/identity/v1/role_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { newId, startMetadata } from './metadata-fixture.ts';
import { makeToken, makeUser } from './metadata-people.ts';

const ADMIN = { role: 'roles/admin' };

test('the last administrator of the system keeps the role and cannot be deleted', async (t) => {
  const fixture = await startMetadata(t);
  const users = createClient(UserService, fixture.admin);
  const last = { kind: 'failed_precondition', reason: 'LAST_ADMIN' } as const;
  // An administrator of a part is none of the system.
  await makeUser(fixture, 'part', { role: 'roles/admin', partition: 'partitions/lab' });
  await refused(t, users.revokeRole({ name: 'users/admin', grant: ADMIN }), last);
  await refused(t, users.deleteUser({ name: 'users/admin' }), last);
  await makeUser(fixture, 'ann', ADMIN);
  const { user } = await users.revokeRole({ name: 'users/admin', grant: ADMIN });
  t.deepEqual(user?.status?.grants, []);
});

test('giving a role again changes nothing, and taking it away neither', async (t) => {
  const { admin } = await startMetadata(t);
  const users = createClient(UserService, admin);
  await users.createUser({ userId: 'ann', user: {}, requestId: newId() });
  const grant = { role: 'roles/reader', partition: 'partitions/lab' };
  const first = await users.grantRole({ name: 'users/ann', grant });
  const again = await users.grantRole({
    name: 'users/ANN',
    grant: { role: 'roles/READER', partition: 'partitions/LAB' },
  });
  t.deepEqual(again.user, first.user);
  t.is(again.user?.status?.grants.length, 1);
  const taken = await users.revokeRole({ name: 'users/ann', grant });
  t.deepEqual(taken.user?.status?.grants, []);
  t.deepEqual((await users.revokeRole({ name: 'users/ann', grant })).user, taken.user);
});

test('a grant of what does not exist or is not for people is refused by name', async (t) => {
  const { admin } = await startMetadata(t);
  const users = createClient(UserService, admin);
  await users.createUser({ userId: 'ann', user: {}, requestId: newId() });
  const cases = [
    [{ role: 'roles/emperor' }, 'grant.role'],
    [{ role: 'roles/service' }, 'grant.role'],
    [{ role: 'roles/agent' }, 'grant.role'],
    [{ role: 'admin' }, 'grant.role'],
    [{ role: 'roles/member', project: 'projects/nowhere' }, 'grant.project'],
    [{ role: 'roles/member', project: 'red' }, 'grant.project'],
    [{ role: 'roles/member', partition: 'partitions/-' }, 'grant.partition'],
  ] as const;
  for (const [grant, field] of cases) {
    const error = await refused(t, users.grantRole({ name: 'users/ann', grant }), {
      kind: 'invalid_argument',
      reason: 'INVALID_FIELD',
    });
    t.is(error.metadata.field, field);
  }
  await refused(t, users.grantRole({ name: 'users/bob', grant: ADMIN }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
});

test('users and what they hold are listed, and only administrators may', async (t) => {
  const fixture = await startMetadata(t);
  const operator = await makeUser(fixture, 'olga', { role: 'roles/operator' });
  const { users } = await createClient(UserService, fixture.admin).listUsers({ pageSize: 10 });
  t.deepEqual(
    users.map(({ name, status }) => [name, status?.grants.map(({ role }) => role)]),
    [
      ['users/admin', ['roles/admin']],
      ['users/olga', ['roles/operator']],
    ],
  );
  const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;
  await refused(t, createClient(UserService, operator).listUsers({}), denied);
  await refused(
    t,
    createClient(UserService, operator).grantRole({ name: 'users/olga', grant: ADMIN }),
    denied,
  );
});

test('a deleted user’s tokens are refused, also when the name is given again', async (t) => {
  const fixture = await startMetadata(t);
  const users = createClient(UserService, fixture.admin);
  const ann = createClient(IdentityService, await makeUser(fixture, 'ann', ADMIN));
  const before = await ann.whoAmI({});
  t.is(before.principal, 'users/ann');
  await users.deleteUser({ name: 'users/ann' });
  const bad = { kind: 'unauthenticated', reason: 'BAD_CREDENTIALS' } as const;
  await refused(t, ann.whoAmI({}), bad);
  await makeUser(fixture, 'ann');
  await refused(t, ann.whoAmI({}), bad);
});

test('who am I tells principal, grants, permissions, cluster and end', async (t) => {
  const fixture = await startMetadata(t);
  const admin = await createClient(IdentityService, fixture.admin).whoAmI({});
  t.is(admin.principal, 'users/admin');
  t.deepEqual(admin.permissions, ['*']);
  t.is(admin.cluster, 'test');
  t.truthy(admin.expireTime);
  const projects = createClient(ProjectService, fixture.admin);
  await projects.createProject({ projectId: 'red', project: {}, requestId: newId() });
  const grant = { role: 'roles/member', project: 'projects/red' };
  const ann = await createClient(IdentityService, await makeUser(fixture, 'ann', grant)).whoAmI({});
  t.deepEqual(ann.permissions, []);
  t.deepEqual(
    ann.grants.map(({ role, project, partition }) => [role, project, partition]),
    [['roles/member', 'projects/red', '']],
  );
  const nobody = createClient(IdentityService, fixture.asPerson());
  await refused(t, nobody.whoAmI({}), { kind: 'unauthenticated', reason: 'NO_CREDENTIALS' });
  const service = await createClient(IdentityService, fixture.asService('machine')).whoAmI({});
  t.is(service.principal, 'services/machine');
});

test('a role’s permissions are read by whoever holds any role, page by page', async (t) => {
  const fixture = await startMetadata(t);
  const transport = await makeUser(fixture, 'ann', {
    role: 'roles/reader',
    partition: 'partitions/lab',
  });
  const roles = createClient(RoleService, transport);
  const first = await roles.listRoles({ pageSize: 4 });
  const second = await roles.listRoles({ pageSize: 4, pageToken: first.nextPageToken });
  t.is(second.nextPageToken, '');
  t.deepEqual(
    [...first.roles, ...second.roles].map(({ name }) => name),
    ['admin', 'agent', 'member', 'operator', 'reader', 'service'].map((id) => `roles/${id}`),
  );
  const { role } = await roles.getRole({ name: 'roles/reader' });
  t.true(role?.permissions.includes('machine.list'));
  t.false(role?.permissions.includes('machine.delete'));
  await refused(t, roles.getRole({ name: 'roles/none' }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  const nothing = createClient(RoleService, await makeUser(fixture, 'bob'));
  await refused(t, nothing.listRoles({}), { kind: 'permission_denied', reason: 'NOT_ALLOWED' });
  t.truthy(await makeToken(fixture.admin, 'ann'));
});
