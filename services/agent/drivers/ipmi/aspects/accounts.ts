/**
 * Users of the controller, who sit in numbered places (IPMI 2.0 §22.26 to §22.30, §24.6). A new one
 * is made with the door closed: enabled last, when name, password and rights are there.
 */
import { type AccountAspect, type BmcCredentials, BmcError } from '../../../bmc-port.ts';
import { withDeadline } from '../session/link.ts';
import { completionError } from '../wire/completion-code.ts';
import type { Place } from './place.ts';
import { createUserSlots, MESSAGING, USER_NAME_BYTES } from './user-slots.ts';

export type AccountDeps = Pick<Place, 'link' | 'channel'> & {
  /** Told at once, because the next session may need the new password. */
  readonly passwordSet: (credentials: BmcCredentials) => void;
};

const NETFN_APP = 0x06;
const COMMAND = {
  setAccess: 0x43,
  setName: 0x45,
  setPassword: 0x47,
  setPayloadAccess: 0x4c,
} as const;
const OPERATION = { disable: 0, enable: 1, set: 2, test: 3 } as const;
/** The first place belongs to the user without a name. */
const FIRST_SLOT = 2;
const PASSWORD_BYTES = 16;
const LONG_PASSWORD_BYTES = 20;
const LONG_PASSWORD = 0x80;
const CHANGE_ACCESS = 0x80;
const LINK_AUTHENTICATION = 0x20;
const ADMINISTRATOR = 4;
const NO_ACCESS = 0x0f;
const SOL_PAYLOAD = 0x02;
const WRONG_PASSWORD = 0x80;
const WRONG_SIZE = 0x81;

export const createAccountAspect = (deps: AccountDeps): AccountAspect => {
  const { link, channel } = deps;
  const { provider } = link;
  const users = createUserSlots(deps);
  const call = (command: number, bytes: readonly number[], { what, signal }: Wish) =>
    link.call({ netFn: NETFN_APP, command, data: Buffer.from(bytes) }, what, signal);
  const ask = (command: number, bytes: readonly number[], signal: AbortSignal) =>
    link.ask({ netFn: NETFN_APP, command, data: Buffer.from(bytes) }, signal);

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
    const all = await users.all(signal);
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
      await call(COMMAND.setName, [slot, ...padded(user, USER_NAME_BYTES)], wish);
    }
    await password(slot, credentials.password, signal);
    deps.passwordSet(credentials);
    const rights = CHANGE_ACCESS | LINK_AUTHENTICATION | MESSAGING | channel;
    await call(COMMAND.setAccess, [rights, slot, ADMINISTRATOR], wish);
    // Optional where consoles need no right of their own.
    await ask(COMMAND.setPayloadAccess, [channel, slot, SOL_PAYLOAD, 0, 0, 0], signal);
    await call(COMMAND.setPassword, [slot, OPERATION.enable], wish);
    const made = await users.at(slot, signal);
    const isSo = made.user === user && made.enabled && made.privilege === 'administrator';
    if (isSo && (await isPassword(slot, credentials.password, signal))) return;
    const message = `Controller of "${provider}" agreed, but user "${user}" is not as it was set`;
    throw new BmcError('not_applied', message);
  };

  const remove = async (user: string, signal: AbortSignal): Promise<void> => {
    const found = (await users.all(signal)).find((one) => one.user === user && user !== '');
    if (found === undefined) return;
    const { slot } = found;
    const disabled = await ask(COMMAND.setPassword, [slot, OPERATION.disable], signal);
    await ask(COMMAND.setAccess, [CHANGE_ACCESS | channel, slot, NO_ACCESS], signal);
    // Names of some places are fixed.
    await ask(COMMAND.setName, [slot, ...padded('', USER_NAME_BYTES)], signal);
    const after = await users.at(slot, signal);
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
        (await users.all(signal))
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
  if (userBytes < 1 || userBytes > USER_NAME_BYTES) {
    throw new BmcError(
      'refused',
      `A user of IPMI has 1 to ${USER_NAME_BYTES} bytes, not ${userBytes}`,
    );
  }
  if (Buffer.byteLength(password) > LONG_PASSWORD_BYTES || password === '') {
    throw new BmcError('refused', `A password of IPMI has 1 to ${LONG_PASSWORD_BYTES} bytes`);
  }
};
