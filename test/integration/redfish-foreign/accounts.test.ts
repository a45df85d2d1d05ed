import test from 'ava';
import { foreignRedfish } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

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
