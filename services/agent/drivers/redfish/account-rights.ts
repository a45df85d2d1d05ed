import type { Account } from '../../bmc-port.ts';
import type { Place } from './place.ts';
import type { AccountFlags } from './quirk.ts';
import { flagAt, linkAt, type Resource, textAt, textsAt } from './resource.ts';

/** What an account may do: by its role (DSP0268, Role), or by flags where a make has no roles. */

type Privilege = Account['privilege'];

const ROLES: Readonly<Record<string, Privilege>> = {
  Administrator: 'administrator',
  Operator: 'operator',
  ReadOnly: 'read_only',
  None: 'none',
};

export const privilegeOf = async (
  { client, rules }: Place,
  account: Resource,
  signal: AbortSignal,
): Promise<Privilege> => {
  if (rules.accountFlags !== undefined) return privilegeByFlags(account, rules.accountFlags);
  const known = ROLES[textAt(account, 'RoleId')];
  if (known !== undefined) return known;
  // A role of the make's own: what it grants is told by the role.
  const link = linkAt(account, 'Links', 'Role');
  const role = link === '' ? undefined : await client.find(link, signal);
  return privilegeIn(textsAt(role, 'AssignedPrivileges'));
};

const privilegeIn = (granted: readonly string[]): Privilege => {
  const has = (name: string): boolean => granted.includes(name);
  if (has('ConfigureUsers') && has('ConfigureManager')) return 'administrator';
  if (has('ConfigureComponents')) return 'operator';
  return has('Login') ? 'read_only' : 'none';
};

const hasFlag = (account: Resource, { make }: AccountFlags, name: string): boolean =>
  flagAt(account, 'Oem', make, 'Privileges', name) === true;

const privilegeByFlags = (account: Resource, flags: AccountFlags): Privilege => {
  if (flags.administrator.every((name) => hasFlag(account, flags, name))) return 'administrator';
  if (hasFlag(account, flags, flags.operator)) return 'operator';
  return hasFlag(account, flags, flags.readOnly) ? 'read_only' : 'none';
};

type New = { readonly user: string; readonly others: readonly Resource[] };

/** What is sent with a new administrator. */
export const newRights = ({ rules }: Place, { user, others }: New): Resource => {
  const { accountFlags } = rules;
  if (accountFlags !== undefined) {
    const Privileges = allFlags(accountFlags);
    return { Oem: { [accountFlags.make]: { LoginName: user, Privileges } } };
  }
  // iLO 5 has none that could be disabled and refuses to be told that one is not.
  const tellsEnabled = others.length === 0 || others.some((one) => one.Enabled !== undefined);
  return { RoleId: 'Administrator', ...(tellsEnabled ? { Enabled: true } : {}) };
};

/** Not what is so already: the last administrator's role cannot be written at all. */
export const missingRights = async (
  place: Place,
  account: Resource,
  signal: AbortSignal,
): Promise<Resource> => {
  const { accountFlags } = place.rules;
  const isAdministrator = (await privilegeOf(place, account, signal)) === 'administrator';
  const enabling = account.Enabled === false ? { Enabled: true } : {};
  if (isAdministrator) return enabling;
  if (accountFlags === undefined) return { RoleId: 'Administrator', ...enabling };
  return { Oem: { [accountFlags.make]: { Privileges: allFlags(accountFlags) } } };
};

const allFlags = ({ administrator }: AccountFlags): Resource =>
  Object.fromEntries(administrator.map((name) => [name, true]));
