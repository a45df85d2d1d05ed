import test from 'ava';
import {
  demandRenewable,
  RENEWAL_GRACE_MS,
} from '../../../services/metadata/domain/certificate.ts';
import {
  demandCovered,
  effectiveGrants,
  type Grant,
  grantableRole,
  grantCovers,
} from '../../../services/metadata/domain/grant.ts';
import { parsePrincipal, parseSpiffeId } from '../../../services/metadata/domain/principal.ts';
import { findRole, ROLES } from '../../../services/metadata/domain/role.ts';
import { demandUsable, secretOf } from '../../../services/metadata/domain/token.ts';
import { holds } from '../../../services/runtime/identity.ts';

const grant = (role: string, partition = '', project = ''): Grant => ({ role, partition, project });

const covers = test.macro({
  exec: (t, held: Grant, asked: Grant, expected: boolean) =>
    t.is(grantCovers(held, asked), expected),
  title: (_, held, asked, expected) =>
    `${JSON.stringify(held)} ${expected ? 'covers' : 'does not cover'} ${JSON.stringify(asked)}`,
});

test(covers, grant('admin'), grant('admin'), true);
test(covers, grant('admin'), grant('admin', 'lab', 'red'), true);
test(covers, grant('admin', 'lab'), grant('admin'), false);
test(covers, grant('admin', 'lab'), grant('admin', 'LAB', 'red'), true);
test(covers, grant('admin', 'lab'), grant('admin', 'other'), false);
test(covers, grant('admin', '', 'red'), grant('admin', 'lab', 'red'), true);
test(covers, grant('admin', '', 'red'), grant('admin', 'lab'), false);
test(covers, grant('admin', 'lab', 'red'), grant('admin', '', 'red'), false);
test(covers, grant('admin'), grant('reader'), false);

test('a credential has what its user holds, within its limits if it has any', (t) => {
  const held = [grant('member', '', 'red'), grant('reader')];
  t.deepEqual(effectiveGrants(held, []), held);
  t.deepEqual(effectiveGrants(held, [grant('reader', 'lab')]), [grant('reader', 'lab')]);
  t.deepEqual(effectiveGrants(held, [grant('member')]), []);
  t.deepEqual(effectiveGrants([], [grant('reader')]), []);
});

test('what is not held is named', (t) => {
  t.notThrows(() => demandCovered([grant('reader')], [grant('reader', 'lab')], 'users/a'));
  t.throws(() => demandCovered([grant('reader')], [grant('member', 'lab', 'red')], 'users/a'), {
    message: 'users/a does not hold roles/member on partitions/lab in projects/red',
  });
});

test('only roles for people are given to people', (t) => {
  t.is(grantableRole(grant('Admin')).id, 'admin');
  for (const role of ['service', 'agent', 'root', '']) t.throws(() => grantableRole(grant(role)));
});

test('the roles are in order, and each permits what its people need', (t) => {
  const ids = ROLES.map(({ id }) => id);
  t.deepEqual(ids, ids.toSorted());
  const may = (role: string, permission: string) =>
    holds(new Set(findRole(role)?.permissions), permission);
  const table: readonly (readonly [string, string, boolean])[] = [
    ['admin', 'user.create', true],
    ['operator', 'provider.update', true],
    ['operator', 'user.create', false],
    ['operator', 'partition.create', false],
    ['operator', 'capacity.set', false],
    ['member', 'machine.console', true],
    ['member', 'claim.finish', false],
    ['member', 'provider.get', false],
    ['member', 'agent.list', false],
    ['reader', 'machine.get', true],
    ['reader', 'machine.console', false],
    ['reader', 'provider.list', true],
    ['reader', 'provider.update', false],
    ['reader', 'user.list', false],
    ['reader', 'image.create', false],
    ['reader', 'operation.cancel', false],
    ['agent', 'agent.session', true],
    ['agent', 'machine.get', false],
    ['service', 'trust.introspect', true],
    ['service', 'capacity.set', true],
    ['service', 'claim.finish', true],
    ['service', 'user.create', false],
    ['service', 'token.create', false],
  ];
  for (const [role, permission, expected] of table) {
    t.is(may(role, permission), expected, `${role} ${permission}`);
  }
});

test('principals and SPIFFE ids are read, and nothing that only looks like one', (t) => {
  t.deepEqual(parsePrincipal('users/admin'), { kind: 'user', id: 'admin' });
  for (const text of ['users/', 'users', 'user/x', 'users/a/b', 'USERS/a', 'users/-a', '']) {
    t.is(parsePrincipal(text), undefined, text);
  }
  t.deepEqual(parseSpiffeId('lab', 'spiffe://lab/agent/x'), { kind: 'agent', id: 'x' });
  for (const uri of [
    'spiffe://other/agent/x',
    'spiffe://lab/user/x',
    'spiffe://lab/agent/x/y',
    'spiffe://lab/agent/',
    'https://lab/agent/x',
  ]) {
    t.is(parseSpiffeId('lab', uri), undefined, uri);
  }
});

test('a secret has one length whatever its bytes are, and tells them apart', (t) => {
  const zero = secretOf(new Uint8Array(32));
  const most = secretOf(new Uint8Array(32).fill(255));
  t.is(zero.length, most.length);
  t.regex(most, /^runm_[0-9A-Za-z]{43}$/);
  const one = new Uint8Array(32);
  one[31] = 1;
  t.not(secretOf(one), zero);
  t.throws(() => secretOf(new Uint8Array(31)));
});

test('a join token is used once and in time', (t) => {
  const token = {
    uid: 'u',
    hash: 'h',
    partition: 'lab',
    roles: ['vm'],
    agentId: '',
    expireMs: 1000,
    burnedMs: 0,
  };
  t.is(demandUsable(token, 999), token);
  t.throws(() => demandUsable(token, 1000), { message: /expired/ });
  t.throws(() => demandUsable({ ...token, burnedMs: 5 }, 10), { message: /used before/ });
  t.throws(() => demandUsable(undefined, 0), { message: /not known/ });
});

test('a certificate is renewed until 90 days after its end', (t) => {
  t.notThrows(() => demandRenewable(1000, 1000 + RENEWAL_GRACE_MS));
  t.throws(() => demandRenewable(1000, 1001 + RENEWAL_GRACE_MS), { message: /90 days/ });
});

test('operators change the life of providers, members and readers do not', (t) => {
  for (const verb of ['accept', 'maintain', 'quarantine', 'return']) {
    const may = (role: string) => holds(new Set(findRole(role)?.permissions), `provider.${verb}`);
    t.true(may('operator') && may('admin'), verb);
    t.false(may('member') || may('reader') || may('service') || may('agent'), verb);
  }
});
