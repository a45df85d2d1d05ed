/** Who sits in which place of the controller (IPMI 2.0 §22.27, §22.29). */
import type { Account } from '../../../bmc-port.ts';
import type { Place } from './place.ts';

export type UserSlot = Account & { readonly slot: number };

export type UserSlots = {
  readonly at: (slot: number, signal: AbortSignal) => Promise<UserSlot>;
  /** All, also those without a name. */
  readonly all: (signal: AbortSignal) => Promise<readonly UserSlot[]>;
};

export const USER_NAME_BYTES = 16;
export const MESSAGING = 0x10;
const GET_ACCESS = { netFn: 0x06, command: 0x44 } as const;
const GET_NAME = { netFn: 0x06, command: 0x46 } as const;

export const createUserSlots = ({ link, channel }: Pick<Place, 'link' | 'channel'>): UserSlots => {
  const accessOf = (slot: number, signal: AbortSignal): Promise<Buffer> =>
    link.call(
      { ...GET_ACCESS, data: Buffer.from([channel, slot]) },
      'to tell of its users',
      signal,
    );

  const at = async (slot: number, signal: AbortSignal): Promise<UserSlot> => {
    const access = await accessOf(slot, signal);
    // A place that was never used has no name, which some answer by an error.
    const { code, data } = await link.ask({ ...GET_NAME, data: Buffer.from([slot]) }, signal);
    return { slot, id: String(slot), user: code === 0 ? nameIn(data) : '', ...rightsIn(access) };
  };

  return {
    at,
    all: async (signal) => {
      const first = await accessOf(1, signal);
      const count = (first[0] ?? 0) & 0x3f;
      const found: UserSlot[] = [];
      for (let slot = 1; slot <= count; slot += 1) found.push(await at(slot, signal));
      return found;
    },
  };
};

const nameIn = (data: Buffer): string => {
  const end = data.indexOf(0);
  return data.toString('utf8', 0, end < 0 ? Math.min(data.length, USER_NAME_BYTES) : end).trim();
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
