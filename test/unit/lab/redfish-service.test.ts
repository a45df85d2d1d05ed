import test from 'ava';
import type { LabReply } from '../../../deploy/lab/redfish/message.ts';
import { createRedfishService } from '../../../deploy/lab/redfish/service.ts';
import type { LabAccount } from '../../../deploy/lab/server-port.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { quickLabServer } from '../../support/redfish-lab.ts';

const SESSIONS = '/redfish/v1/SessionService/Sessions';
const SYSTEM = '/redfish/v1/Systems/1';
const ACCOUNTS = '/redfish/v1/AccountService/Accounts';

type Asked = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly query?: string;
};

const serviceWith = (accounts: readonly Omit<LabAccount, 'slot' | 'enabled'>[]) => {
  const clock = manualClock();
  const server = quickLabServer();
  server.removeAccount(2);
  for (const [at, one] of accounts.entries()) {
    server.putAccount({ ...one, slot: at + 2, enabled: true });
  }
  const service = createRedfishService({ server, clock, random: systemRandom });
  const ask = (path: string, { method = 'GET', headers = {}, body, query = '' }: Asked = {}) =>
    service.answer({ method, path, query: new URLSearchParams(query), headers, body });
  const as = (user: string, password = 'right') => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });
  const signIn = (user: string, password = 'right') =>
    ask(SESSIONS, { method: 'POST', body: { UserName: user, Password: password } });
  return { clock, server, ask, as, signIn };
};

const ADMIN = { user: 'admin', password: 'right', privilege: 'administrator' } as const;
const OPERATOR = { user: 'oper', password: 'right', privilege: 'operator' } as const;
const READER = { user: 'read', password: 'right', privilege: 'read_only' } as const;

const tokenOf = (reply: LabReply): string => reply.headers?.['x-auth-token'] ?? '';

test('five wrong passwords lock an account for half a minute, the right one too', async (t) => {
  const { signIn, clock, ask, as } = serviceWith([ADMIN, READER]);
  for (let turn = 0; turn < 5; turn += 1) t.is((await signIn('admin', 'wrong')).status, 401);
  t.is((await signIn('admin')).status, 401);
  t.is((await ask(SYSTEM, { headers: as('admin') })).status, 401);
  const shown = await ask(`${ACCOUNTS}/2`, { headers: as('read') });
  t.is(Object(shown.body).Locked, true);
  await clock.advance(31_000);
  t.is((await signIn('admin')).status, 201);
});

test('a session ends when nobody used it for as long as the service says', async (t) => {
  const { signIn, clock, ask } = serviceWith([ADMIN]);
  const headers = { 'x-auth-token': tokenOf(await signIn('admin')) };
  const timeout = { method: 'PATCH', headers, body: { SessionTimeout: 60 } };
  t.is((await ask('/redfish/v1/SessionService', timeout)).status, 204);
  await clock.advance(50_000);
  t.is((await ask(SYSTEM, { headers })).status, 200);
  await clock.advance(50_000);
  t.is((await ask(SYSTEM, { headers })).status, 200);
  await clock.advance(61_000);
  t.is((await ask(SYSTEM, { headers })).status, 401);
});

test('the ninth session is refused and the ninth basic authentication is not', async (t) => {
  const { signIn, ask, as } = serviceWith([ADMIN]);
  for (let turn = 0; turn < 8; turn += 1) t.is((await signIn('admin')).status, 201);
  t.is((await signIn('admin')).status, 503);
  t.is((await ask(SYSTEM, { headers: as('admin') })).status, 200);
});

test('a password that changes ends the sessions of its account, and no others', async (t) => {
  const { signIn, ask } = serviceWith([ADMIN, OPERATOR]);
  const [admin, oper] = [tokenOf(await signIn('admin')), tokenOf(await signIn('oper'))];
  const headers = { 'x-auth-token': admin };
  const change = { method: 'PATCH', headers, body: { Password: 'other' } };
  t.is((await ask(`${ACCOUNTS}/3`, change)).status, 204);
  t.is((await ask(SYSTEM, { headers: { 'x-auth-token': oper } })).status, 401);
  t.is((await ask(SYSTEM, { headers })).status, 200);
});

test('an account that is made anew by the same name has none of the sessions before', async (t) => {
  const { signIn, ask, as, server } = serviceWith([ADMIN, OPERATOR]);
  const headers = { 'x-auth-token': tokenOf(await signIn('oper')) };
  t.is((await ask(SYSTEM, { headers })).status, 200);
  const account = server.accounts().find(({ user }) => user === 'oper');
  if (account === undefined) return t.fail('there is no oper');
  const path = `${ACCOUNTS}/${account.slot}`;
  t.is((await ask(path, { method: 'DELETE', headers: as('admin') })).status, 204);
  server.putAccount({ ...account, password: 'of somebody else' });
  t.is((await ask(SYSTEM, { headers })).status, 401);
});

test('a password that another protocol changes ends the sessions of its account', async (t) => {
  const { signIn, ask, server } = serviceWith([ADMIN, OPERATOR]);
  const headers = { 'x-auth-token': tokenOf(await signIn('oper')) };
  const [account] = server.accounts().filter(({ user }) => user === 'oper');
  if (account === undefined) return t.fail('there is no oper');
  server.putAccount({ ...account, password: 'other' });
  t.is((await ask(SYSTEM, { headers })).status, 401);
});

const mays = test.macro({
  exec: async (t, user: string, path: string, { status, ...asked }: Asked & { status: number }) => {
    const { ask, as } = serviceWith([ADMIN, OPERATOR, READER]);
    t.is((await ask(path, { ...asked, headers: as(user) })).status, status);
  },
  title: (_, user, path, { method = 'GET', status }: Asked & { status: number }) =>
    `${method} ${path} of ${user} is ${status}`,
});

const RESET = { method: 'POST', body: { ResetType: 'On' } };
const CREATE = { method: 'POST', body: { UserName: 'x', Password: 'y', RoleId: 'ReadOnly' } };
test(mays, 'admin', `${SYSTEM}/Actions/ComputerSystem.Reset`, { ...RESET, status: 204 });
test(mays, 'oper', `${SYSTEM}/Actions/ComputerSystem.Reset`, { ...RESET, status: 204 });
test(mays, 'read', `${SYSTEM}/Actions/ComputerSystem.Reset`, { ...RESET, status: 403 });
test(mays, 'admin', ACCOUNTS, { ...CREATE, status: 201 });
test(mays, 'oper', ACCOUNTS, { ...CREATE, status: 403 });
test(mays, 'read', SYSTEM, { method: 'GET', status: 200 });

test('what was not changed is not sent again, and a stale change is refused', async (t) => {
  const { ask, as, server } = serviceWith([ADMIN]);
  const headers = as('admin');
  const etag = (await ask(SYSTEM, { headers })).headers?.etag ?? '';
  t.regex(etag, /^"[0-9a-f]{16}"$/);
  t.is((await ask(SYSTEM, { headers: { ...headers, 'if-none-match': etag } })).status, 304);
  server.setIndicator(true);
  const patch = { method: 'PATCH', body: { LocationIndicatorActive: false } };
  const stale = { ...patch, headers: { ...headers, 'if-match': etag } };
  t.is((await ask(SYSTEM, stale)).status, 412);
  t.true(server.indicator());
  t.is((await ask(SYSTEM, { ...patch, headers: { ...headers, 'if-match': '*' } })).status, 204);
  t.false(server.indicator());
});

test('what a server that is off does not take is refused, and a failure is answered', async (t) => {
  const { ask, as, server } = serviceWith([ADMIN]);
  const headers = as('admin');
  const reset = (ResetType: string) =>
    ask(`${SYSTEM}/Actions/ComputerSystem.Reset`, {
      ...{ method: 'POST', headers, body: { ResetType } },
    });
  const refused = await reset('ForceRestart');
  t.is(refused.status, 409);
  t.regex(JSON.stringify(refused.body), /ResourceInStandby.*it is off/);
  const full = () => Promise.reject(new Error('no space is left'));
  Object.assign(server, { changePower: full });
  const failed = await reset('On');
  t.is(failed.status, 500);
  t.notRegex(JSON.stringify(failed.body), /no space/);
});

test('a collection is cut as it was asked, and its only member told at once', async (t) => {
  const { ask, as } = serviceWith([ADMIN, OPERATOR, READER]);
  const headers = as('admin');
  const asked = async (path: string, query: string) => {
    const { status, body } = await ask(path, { headers, query });
    const members: unknown = Object(body).Members;
    const count: unknown = Object(body)['Members@odata.count'];
    return { status, count, members: Array.isArray(members) ? members : [] };
  };
  const links = [2, 3, 4].map((slot) => ({ '@odata.id': `${ACCOUNTS}/${slot}` }));
  const told = { status: 200, count: 3 };
  t.deepEqual(await asked(ACCOUNTS, '$top=2'), { ...told, members: links.slice(0, 2) });
  t.deepEqual(await asked(ACCOUNTS, '$skip=1&$top=1'), { ...told, members: links.slice(1, 2) });
  t.deepEqual(await asked(ACCOUNTS, '$skip=9'), { ...told, members: [] });
  t.is((await asked(ACCOUNTS, '$top=many')).status, 400);
  t.is((await asked(SYSTEM, '$top=1')).status, 400);
  t.deepEqual((await asked(ACCOUNTS, 'only')).members, links);
  const { body } = await ask('/redfish/v1/Systems', { headers, query: 'only' });
  t.is(Object(body)['@odata.id'], SYSTEM);
});

test('what is shown names its schema, and another OData is not spoken', async (t) => {
  const { ask, as } = serviceWith([ADMIN]);
  const described = async (path: string) => (await ask(path, { headers: as('admin') })).headers;
  t.regex(
    (await described(SYSTEM))?.link ?? '',
    /\/JsonSchemas\/ComputerSystem\.v1_\d+_\d+\/en>; rel=described/,
  );
  t.regex((await described(ACCOUNTS))?.link ?? '', /\/ManagerAccountCollection\.json>/);
  const headers = { ...as('admin'), 'odata-version': '3.0' };
  t.is((await ask(SYSTEM, { headers })).status, 412);
});
