import type { LabAccount } from '../../server-port.ts';
import type { LabContext, Route, Write } from '../context.ts';
import { type Json, type LabReply, link, noContent, refuse } from '../message.ts';
import {
  PRIVILEGES,
  ROLE_NAMES,
  type RoleName,
  rightsSent,
  rightsShown,
} from './account-rights.ts';
import { changeLockout, lockoutOf } from './lockout.ts';
import { ACCOUNTS, ROLES, ROOT } from './paths.ts';
import {
  collection,
  flagField,
  HEALTHY,
  oneOf,
  resource,
  textField,
  unknownProperty,
} from './shape.ts';

/** Users of the controller, the same ones that IPMI signs in, in its places 2 to 16. */
const SERVICE = `${ROOT}/AccountService`;
const SLOTS = Array.from({ length: 15 }, (_, index) => index + 2);
const PASSWORD = { min: 1, max: 20 } as const;

const serviceOf = (context: LabContext): Json =>
  resource('AccountService', SERVICE, {
    Name: 'Account service',
    ServiceEnabled: true,
    MinPasswordLength: PASSWORD.min,
    MaxPasswordLength: PASSWORD.max,
    ...lockoutOf(context),
    Status: HEALTHY,
    Accounts: link(ACCOUNTS),
    Roles: link(ROLES),
  });

const accountAt = ({ server }: LabContext, id: string): LabAccount | undefined =>
  server.accounts().find(({ slot }) => String(slot) === id);

const isFixed = ({ personality }: LabContext): boolean => personality.accountSlots === 'fixed';

const isSlot = (id: string): boolean => SLOTS.some((slot) => String(slot) === id);

const accountOf = (context: LabContext, id: string): Json | undefined => {
  const account = accountAt(context, id);
  if (account === undefined && !(isFixed(context) && isSlot(id))) return undefined;
  return resource('ManagerAccount', `${ACCOUNTS}/${id}`, {
    Name: 'Account',
    UserName: account?.user ?? '',
    Password: null,
    Locked: account !== undefined && context.guard.isLocked(account.user),
    AccountTypes: ['Redfish', 'IPMI'],
    ...rightsShown(context, account),
  });
};

const idsOf = (context: LabContext): readonly string[] =>
  isFixed(context) ? SLOTS.map(String) : context.server.accounts().map(({ slot }) => String(slot));

/** What was sent, over what is there. */
const withSent = (
  context: LabContext,
  sent: Json,
  account: LabAccount,
): { readonly account: LabAccount } | { readonly reply: LabReply } => {
  const translated = rightsSent(context, sent);
  if ('reply' in translated) return translated;
  const { body } = translated;
  const user = textField(body, 'UserName');
  const password = textField(body, 'Password');
  const enabled = flagField(body, 'Enabled');
  const role = oneOf(body, 'RoleId', ROLE_NAMES);
  for (const one of [user, password, enabled, role]) if (one.kind === 'wrong') return one;
  if (password.kind === 'value') {
    const { length } = password.value;
    if (length < PASSWORD.min || length > PASSWORD.max) {
      const detail = `Password has ${PASSWORD.min} to ${PASSWORD.max} characters.`;
      return { reply: refuse(400, 'PropertyValueTypeError', { detail, about: 'Password' }) };
    }
  }
  const name = user.kind === 'value' ? user.value : account.user;
  const isTaken = context.server
    .accounts()
    .some((one) => one.slot !== account.slot && one.user === name && name !== '');
  if (isTaken) return { reply: refuse(400, 'ResourceAlreadyExists', { about: 'UserName' }) };
  return {
    account: {
      slot: account.slot,
      user: name,
      password: password.kind === 'value' ? password.value : account.password,
      enabled: enabled.kind === 'value' ? enabled.value : account.enabled,
      privilege: role.kind === 'value' ? PRIVILEGES[role.value] : account.privilege,
    },
  };
};

const PROPERTIES = ['UserName', 'Password', 'Enabled', 'RoleId', 'Locked', 'AccountTypes', 'Oem'];

const emptyAt = (slot: number): LabAccount => ({
  ...{ slot, user: '', password: '', enabled: true, privilege: 'read_only' },
});

const create: Write = (context, body) => {
  const needs = context.personality.accountsLack === 'flags' ? [] : ['RoleId'];
  const missing = ['UserName', 'Password', ...needs].find((name) => body[name] === undefined);
  if (missing !== undefined) {
    return refuse(400, 'PropertyMissing', { detail: `It is ${missing}.`, about: missing });
  }
  const slot = SLOTS.find((one) => accountAt(context, String(one)) === undefined);
  if (slot === undefined) return refuse(400, 'CreateLimitReachedForResource');
  const made = withSent(context, body, emptyAt(slot));
  if ('reply' in made) return made.reply;
  context.server.putAccount(made.account);
  const path = `${ACCOUNTS}/${slot}`;
  return { status: 201, headers: { location: path }, body: accountOf(context, String(slot)) ?? {} };
};

const change: Write = (context, body, { id }) => {
  const unknown = unknownProperty(body, PROPERTIES);
  if (unknown !== undefined) return unknown;
  const now = accountAt(context, id) ?? { ...emptyAt(Number(id)), enabled: false };
  const made = withSent(context, body, now);
  if ('reply' in made) return made.reply;
  if (made.account.user === '') context.server.removeAccount(now.slot);
  else context.server.putAccount(made.account);
  return noContent;
};

const remove: Write = (context, _body, { id }) => {
  context.server.removeAccount(Number(id));
  return noContent;
};

const GRANTS: Readonly<Record<RoleName, readonly string[]>> = {
  Administrator: [
    'Login',
    'ConfigureManager',
    'ConfigureUsers',
    'ConfigureSelf',
    'ConfigureComponents',
  ],
  Operator: ['Login', 'ConfigureSelf', 'ConfigureComponents'],
  ReadOnly: ['Login', 'ConfigureSelf'],
};

const roleAt = (id: string): Json | undefined => {
  const name = ROLE_NAMES.find((one) => one === id);
  if (name === undefined) return undefined;
  return resource('Role', `${ROLES}/${name}`, {
    Name: name,
    RoleId: name,
    IsPredefined: true,
    AssignedPrivileges: GRANTS[name],
  });
};

export const ACCOUNT_ROUTES: readonly Route[] = [
  { path: SERVICE, get: serviceOf, patch: changeLockout, need: 'users' },
  {
    path: ACCOUNTS,
    get: (context) =>
      collection('ManagerAccount', ACCOUNTS, { name: 'Accounts', ids: idsOf(context) }),
    post: create,
    lacks: isFixed,
    need: 'users',
  },
  {
    path: `${ACCOUNTS}/{id}`,
    get: (context, { id }) => accountOf(context, id),
    patch: change,
    remove,
    lacks: (context, method) => isFixed(context) && method === 'DELETE',
    need: 'users',
  },
  { path: ROLES, get: () => collection('Role', ROLES, { name: 'Roles', ids: ROLE_NAMES }) },
  { path: `${ROLES}/{id}`, get: (_context, { id }) => roleAt(id) },
];
