import {
  type Account,
  type AccountAspect,
  type BmcCredentials,
  BmcError,
  type Offer,
} from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import { missingRights, newRights, privilegeOf } from './account-rights.ts';
import { withoutSecret } from './messages.ts';
import type { Place } from './place.ts';
import { flagAt, linkAt, type Resource, textAt } from './resource.ts';

/**
 * Users of the controller (DSP0268, ManagerAccount): created and deleted, or, where accounts are
 * fixed places, filled and emptied.
 */
export const offerAccounts = (place: Place): Offer<AccountAspect> => {
  const service = linkAt(place.root, 'AccountService');
  if (service === '') return { kind: 'not_offered', why: 'The service has no AccountService' };
  const all = (signal: AbortSignal) => placesOf(place, service, signal);
  const list = async (signal: AbortSignal): Promise<readonly Account[]> => {
    const { accounts } = await all(signal);
    const found: Account[] = [];
    for (const one of accounts.filter((account) => textAt(account, 'UserName') !== '')) {
      found.push({ ...accountOf(one), privilege: await privilegeOf(place, one, signal) });
    }
    return found;
  };
  const put = async (credentials: BmcCredentials, signal: AbortSignal): Promise<void> => {
    const places = await all(signal);
    await write(place, { places, credentials }, signal).catch((error: unknown) => {
      throw error instanceof BmcError ? withoutSecret(error, credentials.password) : error;
    });
    // Controllers end the sessions of an account whose password changes.
    place.renew(credentials);
    await confirm(
      place,
      { what: `account "${credentials.user}"`, user: credentials.user, list, isSo: isReady },
      signal,
    );
  };
  const remove = async (user: string, signal: AbortSignal): Promise<void> => {
    const { accounts } = await all(signal);
    const found = accounts.find((one) => textAt(one, 'UserName') === user);
    if (found === undefined) return;
    await removeOne(place, found, signal);
    const isGone = (account: Account | undefined) => account?.enabled !== true;
    await confirm(place, { what: `removing "${user}"`, user, list, isSo: isGone }, signal);
  };
  return { kind: 'offered', aspect: { list, put, remove }, how: `Accounts of ${service}` };
};

type Places = { readonly link: string; readonly accounts: readonly Resource[] };

const placesOf = async (
  { client }: Place,
  service: string,
  signal: AbortSignal,
): Promise<Places> => {
  const link = linkAt(await client.get(service, signal), 'Accounts');
  if (link === '') throw new BmcError('unsupported', `${service} has no Accounts`);
  return { link, accounts: await client.members(link, signal) };
};

const accountOf = (account: Resource): Omit<Account, 'privilege'> => ({
  id: textAt(account, '@odata.id'),
  user: textAt(account, 'UserName'),
  enabled: flagAt(account, 'Enabled') ?? true,
});

type Writing = { readonly places: Places; readonly credentials: BmcCredentials };

const write = async (
  place: Place,
  { places, credentials }: Writing,
  signal: AbortSignal,
): Promise<void> => {
  const { client, rules } = place;
  const { user: UserName, password: Password } = credentials;
  const mine = places.accounts.find((one) => textAt(one, 'UserName') === UserName);
  if (mine !== undefined) {
    const changes = await missingRights(place, mine, signal);
    await client.patch(mine, { Password, ...changes }, signal);
    return;
  }
  const rights = newRights(place, { user: UserName, others: places.accounts });
  const body = { UserName, Password, ...rights };
  if (rules.accountSlots === 'fixed') return fill(place, { places, body }, signal);
  try {
    await client.post(places.link, body, signal);
  } catch (error) {
    // Who cannot create one has places that wait for a name.
    const cannotCreate = error instanceof BmcError && error.fault === 'unsupported';
    if (!cannotCreate || emptyPlace(places) === undefined) throw error;
    await fill(place, { places, body }, signal);
  }
};

const fill = async (
  { client }: Place,
  { places, body }: { readonly places: Places; readonly body: Resource },
  signal: AbortSignal,
): Promise<void> => {
  const empty = emptyPlace(places);
  if (empty === undefined) {
    throw new BmcError('refused', `All ${places.accounts.length} accounts of the BMC are in use`);
  }
  await client.patch(empty, body, signal);
};

/** The first place is often reserved (IPMI 2.0 §22.27: user 1 is the nameless one), so the last. */
const emptyPlace = ({ accounts }: Places): Resource | undefined =>
  accounts.findLast((one) => textAt(one, 'UserName') === '');

const removeOne = async (place: Place, account: Resource, signal: AbortSignal): Promise<void> => {
  const { client, rules } = place;
  const link = textAt(account, '@odata.id');
  if (rules.accountSlots === 'fixed') return empty(place, account, signal);
  try {
    await client.remove(link, signal);
  } catch (error) {
    const cannotDelete = error instanceof BmcError && error.fault === 'unsupported';
    if (!cannotDelete) throw error;
    await empty(place, account, signal);
  }
};

/** Disabled first: some refuse an empty name, and it must not stay usable then. */
const empty = async ({ client }: Place, account: Resource, signal: AbortSignal): Promise<void> => {
  const link = textAt(account, '@odata.id');
  await client.patch(account, { Enabled: false }, signal);
  try {
    await client.patch(await client.get(link, signal), { UserName: '' }, signal);
  } catch (error) {
    if (!(error instanceof BmcError && error.fault === 'refused')) throw error;
  }
};

const isReady = (account: Account | undefined): boolean =>
  account?.enabled === true && account.privilege === 'administrator';

type Confirming = Pick<AccountAspect, 'list'> & {
  readonly what: string;
  readonly user: string;
  readonly isSo: (account: Account | undefined) => boolean;
};

const confirm = (
  place: Place,
  { what, user, list, isSo }: Confirming,
  signal: AbortSignal,
): Promise<void> =>
  seen(
    place,
    {
      what,
      read: async () => (await list(signal)).find((one) => one.user === user),
      isSo,
      tell: (shown) =>
        shown === undefined
          ? 'it is not there'
          : `it is ${shown.enabled ? 'enabled' : 'disabled'} as ${shown.privilege}`,
    },
    signal,
  );
