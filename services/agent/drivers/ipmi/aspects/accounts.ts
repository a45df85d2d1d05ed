/**
 * Users of the controller, who sit in numbered places (IPMI 2.0 §22.26 to §22.30, §24.6). A new one
 * is made with the door closed: enabled last, when name, password and rights are there.
 */
import {
  type Account,
  type AccountAspect,
  type BmcCredentials,
  BmcError,
} from '../../../bmc-port.ts';
import { withDeadline } from '../session/link.ts';
import { completionError } from '../wire/completion-code.ts';
import type { Place } from './place.ts';

export type AccountDeps = Pick<Place, 'link' | 'channel'> & {
  /** Told at once, because the next session may need the new password. */
  readonly passwordSet: (credentials: BmcCredentials) => void;
};

const NETFN_APP = 0x06;
const COMMAND = {
  setAccess: 0x43,
  getAccess: 0x44,
  setName: 0x45,
  getName: 0x46,
  setPassword: 0x47,
  setPayloadAccess: 0x4c,
} as const;
const OPERATION = { disable: 0, enable: 1, set: 2, test: 3 } as const;
/** The first place belongs to the user without a name. */
const FIRST_SLOT = 2;
const NAME_BYTES = 16;
const PASSWORD_BYTES = 16;
const LONG_PASSWORD_BYTES = 20;
const LONG_PASSWORD = 0x80;
const CHANGE_ACCESS = 0x80;
const LINK_AUTHENTICATION = 0x20;
const MESSAGING = 0x10;
const ADMINISTRATOR = 4;
const NO_ACCESS = 0x0f;
const SOL_PAYLOAD = 0x02;
const WRONG_PASSWORD = 0x80;
const WRONG_SIZE = 0x81;

type Slot = Account & { readonly slot: number };

export const createAccountAspect = (deps: AccountDeps): AccountAspect => {
  const { link, channel } = deps;
  const { provider } = link;
  const call = (command: number, bytes: readonly number[], { what, signal }: Wish) =>
    link.call({ netFn: NETFN_APP, command, data: Buffer.from(bytes) }, what, signal);
  const ask = (command: number, bytes: readonly number[], signal: AbortSignal) =>
    link.ask({ netFn: NETFN_APP, command, data: Buffer.from(bytes) }, signal);

  const accessOf = (slot: number, signal: AbortSignal) =>
    call(COMMAND.getAccess, [channel, slot], { what: 'to tell of its users', signal });

  const slotAt = async (slot: number, signal: AbortSignal): Promise<Slot> => {
    const access = await accessOf(slot, signal);
    // A place that was never used has no name, which some answer by an error.
    const { code, data } = await ask(COMMAND.getName, [slot], signal);
    return { slot, id: String(slot), user: code === 0 ? nameIn(data) : '', ...rightsIn(access) };
  };

  const slots = async (signal: AbortSignal): Promise<readonly Slot[]> => {
    const first = await accessOf(1, signal);
    const count = (first[0] ?? 0) & 0x3f;
    const found: Slot[] = [];
    for (let slot = 1; slot <= count; slot += 1) found.push(await slotAt(slot, signal));
    return found;
  };

  const password = async (slot: number, text: string, signal: AbortSignal): Promise<void> => {
    const what = 'to set the password';
    await call(COMMAND.setPassword, passwordBytes(slot, OPERATION.set, text), { what, signal });
  };

  const isPassword = async (slot: number, text: string, signal: AbortSignal): Promise<boolean> => {
    const bytes = passwordBytes(slot, OPERATION.test, text);
    const { code } = await ask(COMMAND.setPassword, bytes, signal);
    // Any other code says that it cannot be tested here.
    return code !== WRONG_PASSWORD && code !== WRONG_SIZE;
  };

  const put = async (credentials: BmcCredentials, signal: AbortSignal): Promise<void> => {
    checkLengths(credentials);
    const all = await slots(signal);
    const { user } = credentials;
    const known = all.find((one) => one.user === user);
    const slot = (known ?? all.find((one) => one.slot >= FIRST_SLOT && one.user === ''))?.slot;
    if (slot === undefined) {
      const message = `Controller of provider "${provider}" has no place for user "${user}"`;
      throw new BmcError('refused', `${message}: all ${all.length} are taken`);
    }
    const wish = { what: `to make user "${user}"`, signal };
    if (known === undefined) {
      // What an earlier user left behind in this place must not work for the new one.
      await ask(COMMAND.setPassword, [slot, OPERATION.disable], signal);
      await call(COMMAND.setName, [slot, ...padded(user, NAME_BYTES)], wish);
    }
    await password(slot, credentials.password, signal);
    deps.passwordSet(credentials);
    const rights = CHANGE_ACCESS | LINK_AUTHENTICATION | MESSAGING | channel;
    await call(COMMAND.setAccess, [rights, slot, ADMINISTRATOR], wish);
    // Optional where consoles need no right of their own.
    await ask(COMMAND.setPayloadAccess, [channel, slot, SOL_PAYLOAD, 0, 0, 0], signal);
    await call(COMMAND.setPassword, [slot, OPERATION.enable], wish);
    const made = await slotAt(slot, signal);
    const isSo = made.user === user && made.enabled && made.privilege === 'administrator';
    if (isSo && (await isPassword(slot, credentials.password, signal))) return;
    const message = `Controller of "${provider}" agreed, but user "${user}" is not as it was set`;
    throw new BmcError('not_applied', message);
  };

  const remove = async (user: string, signal: AbortSignal): Promise<void> => {
    const found = (await slots(signal)).find((one) => one.user === user && user !== '');
    if (found === undefined) return;
    const { slot } = found;
    const disabled = await ask(COMMAND.setPassword, [slot, OPERATION.disable], signal);
    await ask(COMMAND.setAccess, [CHANGE_ACCESS | channel, slot, NO_ACCESS], signal);
    // Names of some places are fixed.
    await ask(COMMAND.setName, [slot, ...padded('', NAME_BYTES)], signal);
    const after = await slotAt(slot, signal);
    if (after.user !== user || !after.enabled) return;
    if (disabled.code !== 0) {
      throw completionError(provider, `to remove user "${user}"`, disabled.code);
    }
    const message = `Controller of "${provider}" agreed, but user "${user}" is still there`;
    throw new BmcError('not_applied', message);
  };

  return {
    list: (signal) =>
      withDeadline({ provider, signal }, async () =>
        (await slots(signal))
          .filter(({ user }) => user !== '')
          .map(({ id, user, enabled, privilege }) => ({ id, user, enabled, privilege })),
      ),
    put: (credentials, signal) =>
      withDeadline({ provider, signal }, () => put(credentials, signal)),
    remove: (user, signal) => withDeadline({ provider, signal }, () => remove(user, signal)),
  };
};

type Wish = { readonly what: string; readonly signal: AbortSignal };

const padded = (text: string, bytes: number): Buffer => {
  const field = Buffer.alloc(bytes);
  field.write(text, 'utf8');
  return field;
};

/** Twenty bytes only where sixteen are too few: not all controllers know them (§22.30). */
const passwordBytes = (slot: number, operation: number, text: string): readonly number[] => {
  const isLong = Buffer.byteLength(text) > PASSWORD_BYTES;
  const field = padded(text, isLong ? LONG_PASSWORD_BYTES : PASSWORD_BYTES);
  return [isLong ? slot | LONG_PASSWORD : slot, operation, ...field];
};

const checkLengths = ({ user, password }: BmcCredentials): void => {
  const userBytes = Buffer.byteLength(user);
  if (userBytes < 1 || userBytes > NAME_BYTES) {
    throw new BmcError('refused', `A user of IPMI has 1 to ${NAME_BYTES} bytes, not ${userBytes}`);
  }
  if (Buffer.byteLength(password) > LONG_PASSWORD_BYTES || password === '') {
    throw new BmcError('refused', `A password of IPMI has 1 to ${LONG_PASSWORD_BYTES} bytes`);
  }
};

const nameIn = (data: Buffer): string => {
  const end = data.indexOf(0);
  return data.toString('utf8', 0, end < 0 ? Math.min(data.length, NAME_BYTES) : end).trim();
};

const PRIVILEGES: Readonly<Record<number, Account['privilege']>> = {
  1: 'read_only',
  2: 'read_only',
  3: 'operator',
  4: 'administrator',
  // OEM proprietary: above administrators.
  5: 'administrator',
};

const rightsIn = (access: Buffer): Pick<Account, 'enabled' | 'privilege'> => {
  const [, status = 0, , rights = 0] = access;
  const isMessaging = (rights & MESSAGING) !== 0;
  // Bits 7 and 6: 1 = enabled, 2 = disabled, 0 = from before that could be told.
  const enabled = status >> 6 === 1 || (status >> 6 === 0 && isMessaging);
  return { enabled, privilege: PRIVILEGES[rights & 0x0f] ?? 'none' };
};
