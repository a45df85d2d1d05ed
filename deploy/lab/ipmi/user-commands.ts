/** Network function 06h: users, as slots from 1 to 16 (IPMI 2.0 §22.26 to §22.30). */
import { timingSafeEqual } from 'node:crypto';
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import type { LabAccount, LabServer } from '../server-port.ts';
import { isOurChannel } from './app-commands.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
} from './command.ts';
import { LEVEL_OF } from './privilege.ts';

const SLOTS = 16;
/** The first is the user without a name, who is switched off for good. */
const FIRST_SLOT = 2;
const NAME_BYTES = 16;
const NO_ACCESS = 0x0f;
const MESSAGING = 0x10;
const LINK_AUTHENTICATION = 0x20;

const accountAt = (server: LabServer, slot: number): LabAccount | undefined =>
  server.accounts().find((account) => account.slot === slot);

const slotOf = (byte: number | undefined): number | undefined => {
  const slot = (byte ?? 0) & 0x3f;
  return slot >= 1 && slot <= SLOTS ? slot : undefined;
};

const EMPTY: Omit<LabAccount, 'slot' | 'user'> = {
  password: '',
  enabled: false,
  privilege: 'read_only',
};

const getAccess = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const slot = slotOf(data[1]);
  if (!isOurChannel(data[0]) || slot === undefined) return failed(CODE.invalidField);
  const account = accountAt(state.server, slot);
  const enabled = state.server.accounts().filter((one) => one.enabled).length;
  const isEnabled = account?.enabled === true;
  const level = account === undefined ? NO_ACCESS : LEVEL_OF[account.privilege];
  const access = isEnabled ? MESSAGING | LINK_AUTHENTICATION | level : level;
  return ok(SLOTS, (isEnabled ? 0x40 : 0x80) | enabled, 0x01, access);
};

const setAccess = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const slot = slotOf(data[1]);
  if (!isOurChannel(data[0]) || slot === undefined) return failed(CODE.invalidField);
  const account = accountAt(state.server, slot);
  if (slot < FIRST_SLOT) return ok();
  // A slot without a name has no access whatever is set.
  if (account === undefined) return ok();
  const level = (data[2] ?? 0) & 0x0f;
  const names: readonly LabAccount['privilege'][] = ['administrator', 'operator', 'read_only'];
  const privilege = names.find((name) => LEVEL_OF[name] === level);
  if (privilege === undefined && level !== NO_ACCESS) return failed(CODE.invalidField);
  const isOut = privilege === undefined;
  state.server.putAccount(isOut ? { ...account, enabled: false } : { ...account, privilege });
  return ok();
};

const getName = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const slot = slotOf(data[0]);
  if (slot === undefined) return failed(CODE.invalidField);
  const name = Buffer.alloc(NAME_BYTES);
  name.write(accountAt(state.server, slot)?.user ?? '', 'utf8');
  return ok(name);
};

const setName = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const slot = slotOf(data[0]);
  if (slot === undefined || slot < FIRST_SLOT) return failed(CODE.invalidField);
  const user = textOf(data.subarray(1, 1 + NAME_BYTES));
  const { server } = state;
  if (user === '') {
    server.removeAccount(slot);
    return ok();
  }
  if (server.accounts().some((one) => one.user === user && one.slot !== slot)) {
    return failed(CODE.invalidField);
  }
  server.putAccount({ ...EMPTY, ...accountAt(server, slot), slot, user });
  return ok();
};

const OPERATION = { disable: 0, enable: 1, set: 2, test: 3 } as const;
const WRONG_PASSWORD = 0x80;
const WRONG_SIZE = 0x81;

const setPassword = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const slot = slotOf(data[0]);
  if (slot === undefined || slot < FIRST_SLOT) return failed(CODE.invalidField);
  const { server } = state;
  const account = accountAt(server, slot);
  const size = ((data[0] ?? 0) & 0x80) === 0 ? 16 : 20;
  const bytes = data.subarray(2);
  switch ((data[1] ?? 0) & 0x03) {
    case OPERATION.disable:
      if (account !== undefined) server.putAccount({ ...account, enabled: false });
      return ok();
    case OPERATION.enable:
      if (account !== undefined) server.putAccount({ ...account, enabled: true });
      return ok();
    case OPERATION.set:
      if (bytes.length > size || bytes.length < 16) return failed(CODE.wrongLength);
      if (account === undefined) return failed(CODE.invalidField);
      server.putAccount({ ...account, password: textOf(bytes) });
      return ok();
    default:
      return testPassword(account, bytes, size);
  }
};

const testPassword = (
  account: LabAccount | undefined,
  bytes: Buffer,
  size: number,
): CommandAnswer => {
  if (account === undefined) return failed(WRONG_PASSWORD);
  const known = Buffer.alloc(20);
  known.write(account.password, 'utf8');
  if (account.password.length > size) return failed(WRONG_SIZE);
  const asked = Buffer.alloc(20);
  asked.set(bytes.subarray(0, 20));
  return timingSafeEqual(known, asked) ? ok() : failed(WRONG_PASSWORD);
};

const textOf = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
};

const table: Readonly<Record<number, Command>> = {
  67: { privilege: LEVEL.administrator, run: setAccess },
  68: { privilege: LEVEL.operator, run: getAccess },
  69: { privilege: LEVEL.administrator, run: setName },
  70: { privilege: LEVEL.operator, run: getName },
  71: { privilege: LEVEL.administrator, run: setPassword },
};

export const USER_COMMANDS = commands(0x06, table);
