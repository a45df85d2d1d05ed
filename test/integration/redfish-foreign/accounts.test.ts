import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { failing, foreignRedfish, type Written } from '../../support/foreign-redfish.ts';
import { inTime, offered, redfishLab } from '../../support/redfish-lab.ts';

const SERVICE = '/redfish/v1/AccountService';
const ACCOUNT = `${SERVICE}/Accounts/1`;
const ROLE = `${SERVICE}/Roles/Supervisor`;

const withRole = (AssignedPrivileges: readonly string[]) => ({
  [SERVICE]: { Accounts: { '@odata.id': `${SERVICE}/Accounts` } },
  [`${SERVICE}/Accounts`]: { Members: [{ '@odata.id': ACCOUNT }] },
  [ACCOUNT]: {
    '@odata.id': ACCOUNT,
    UserName: 'admin',
    RoleId: 'Supervisor',
    Links: { Role: { '@odata.id': ROLE } },
  },
  [ROLE]: { '@odata.id': ROLE, AssignedPrivileges },
});

const ALL = ['Login', 'ConfigureManager', 'ConfigureUsers', 'ConfigureSelf', 'ConfigureComponents'];

test('a role of the make’s own grants what it says', async (t) => {
  const granting = async (granted: readonly string[]) => {
    const { open } = await foreignRedfish(t, withRole(granted));
    const [account] = await offered((await open()).offers.accounts).list(inTime());
    return account?.privilege;
  };
  t.is(await granting(ALL), 'administrator');
  t.is(await granting(['Login', 'ConfigureComponents']), 'operator');
  t.is(await granting(['Login']), 'read_only');
  t.is(await granting([]), 'none');
});

test('an administrator under another name gets a password and keeps the role', async (t) => {
  const { open, written } = await foreignRedfish(t, withRole(ALL));
  const accounts = offered((await open()).offers.accounts);
  await accounts.put({ user: 'admin', password: 'Next-secret-3' }, inTime());
  t.deepEqual(
    written.map(({ body }) => body),
    [{ Password: 'Next-secret-3' }],
  );
});

test('a password that is repeated in a refusal is not passed on', async (t) => {
  const echo = ({ body }: Written) => ({
    status: 400,
    body: {
      'Password@Message.ExtendedInfo': [
        { MessageId: 'Base.1.8.PropertyValueFormatError', Message: `${Object(body).Password}?` },
      ],
    },
  });
  const { open } = await foreignRedfish(t, withRole(ALL), echo);
  const accounts = offered((await open()).offers.accounts);
  const putting = accounts.put({ user: 'admin', password: 'Next-secret-3' }, inTime());
  const error = await t.throwsAsync(putting, { instanceOf: BmcError });
  t.is(error.fault, 'refused');
  t.deepEqual(error.said, ['…?']);
  t.false(JSON.stringify([error.message, error.said, String(error.stack)]).includes('Next-secret'));
});

test('a session that cannot be renewed at once is renewed by the next call', async (t) => {
  let isFull = false;
  const lab = await redfishLab(t, {
    // Holds from the next request on, which signs in.
    onRequest: ({ method }) => lab.setFault(isFull && method === 'GET' ? '503' : undefined),
  });
  const power = offered((await lab.open()).offers.power);
  for (const { id } of lab.service.guard.sessions()) lab.service.guard.signOut(id);
  isFull = true;
  const error = await t.throwsAsync(power.read(inTime()), { instanceOf: BmcError });
  t.regex(error.message, /^POST \S+Sessions was answered with 503/);
  isFull = false;
  t.is(await power.read(inTime()), 'off');
});

test('a password that must be changed first is told as one that does not do', async (t) => {
  const { open } = await foreignRedfish(t, {
    '/redfish/v1/Systems': failing(403, {
      MessageId: 'Base.1.13.0.PasswordChangeRequired',
      Message: 'The password provided for this account must be changed.',
    }),
  });
  const error = await t.throwsAsync(open(), { instanceOf: BmcError });
  t.is(error.fault, 'unauthorized');
  t.regex(error.message, /must be changed/);
});
