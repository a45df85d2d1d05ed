import type { LabAccount } from '../../server-port.ts';
import type { LabContext } from '../context.ts';
import { type Json, type LabReply, link, refuse } from '../message.ts';
import { ROLES } from './paths.ts';

/** What an account may do, as it is shown and sent: by roles, or by flags as iLO 4 does. */
export const PRIVILEGES = {
  Administrator: 'administrator',
  Operator: 'operator',
  ReadOnly: 'read_only',
} as const;

export type RoleName = keyof typeof PRIVILEGES;
export const ROLE_NAMES: readonly RoleName[] = ['Administrator', 'Operator', 'ReadOnly'];

const roleOf = (privilege: LabAccount['privilege']): RoleName =>
  ROLE_NAMES.find((name) => PRIVILEGES[name] === privilege) ?? 'ReadOnly';

const FLAGS: Readonly<Record<RoleName, readonly string[]>> = {
  Administrator: ['UserConfigPriv', 'iLOConfigPriv'],
  Operator: ['RemoteConsolePriv', 'VirtualMediaPriv', 'VirtualPowerAndResetPriv'],
  ReadOnly: ['LoginPriv'],
};

/** Each role has those of the ones after it, too. */
const flagsOf = (role: RoleName): readonly string[] =>
  ROLE_NAMES.slice(ROLE_NAMES.indexOf(role)).flatMap((name) => FLAGS[name]);

export const rightsShown = ({ personality }: LabContext, account?: LabAccount): Json => {
  const role = account === undefined ? 'ReadOnly' : roleOf(account.privilege);
  const { accountsLack } = personality;
  if (accountsLack === 'flags') {
    const granted = flagsOf(role);
    const all = flagsOf('Administrator').map((name) => [name, granted.includes(name)] as const);
    const LoginName = account?.user ?? '';
    return { Oem: { Hp: { LoginName, Privileges: Object.fromEntries(all) } } };
  }
  return {
    RoleId: role,
    ...(accountsLack === 'enabled' ? {} : { Enabled: account?.enabled ?? false }),
    Links: { Role: link(`${ROLES}/${role}`) },
  };
};

/** The body as roles have it; refused where it says what this controller does not know. */
export const rightsSent = (
  { personality }: LabContext,
  body: Json,
): { readonly body: Json } | { readonly reply: LabReply } => {
  const { accountsLack } = personality;
  const unknown = accountsLack === 'flags' ? ['RoleId', 'Enabled'] : ['Enabled'];
  const about = unknown.find((name) => body[name] !== undefined);
  if (accountsLack !== undefined && about !== undefined) {
    return { reply: refuse(400, 'PropertyNotWritable', { detail: `It is ${about}.`, about }) };
  }
  if (accountsLack !== 'flags') return { body };
  const { Privileges: sent } = Object(Object(body.Oem).Hp);
  const granted = Object.keys(Object(sent)).filter((name) => Object(sent)[name] === true);
  const has = (role: RoleName): boolean => flagsOf(role).every((name) => granted.includes(name));
  const role = ROLE_NAMES.find(has) ?? 'ReadOnly';
  return { body: { ...body, ...(sent === undefined ? {} : { RoleId: role }) } };
};
