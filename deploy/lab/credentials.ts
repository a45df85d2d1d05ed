import type { Random } from '../../services/runtime/random.ts';
import type { LabAccount } from './server-port.ts';
import type { LabStore } from './server-state.ts';
import { readPrivateJson, writePrivateFile } from './state-file.ts';

/** With what a controller of the lab is reached. */
export type LabCredentials = { readonly user: string; readonly password: string };

const USER = 'admin';
const PASSWORD_BYTES = 12;
/** IPMI counts its users from 1, and the first is the one without a name. */
const FIRST_SLOT = 2;

/** Made at the first start of a server; 16 characters, which all versions of IPMI take. */
export const ensureCredentials = (path: string, random: Random): LabCredentials => {
  const kept = readPrivateJson(path, credentialsOf);
  if (kept !== undefined) return kept;
  const made = { user: USER, password: random.bytes(PASSWORD_BYTES).toString('base64url') };
  writePrivateFile(path, credentialsText(made));
  return made;
};

export const administratorOf = ({ user, password }: LabCredentials): LabAccount => ({
  ...{ slot: FIRST_SLOT, user, password, enabled: true, privilege: 'administrator' },
});

/** A store that keeps the file to what the first administrator of the state signs in with. */
export const withCredentials = (store: LabStore, path: string): LabStore => {
  let written = '';
  const keep = (accounts: readonly LabAccount[]): void => {
    const account = accounts.find(({ slot }) => slot === FIRST_SLOT);
    if (account === undefined || !account.enabled) return;
    const { user, password } = account;
    const text = credentialsText({ user, password });
    if (written !== text) writePrivateFile(path, text);
    written = text;
  };
  return {
    load: () => {
      const state = store.load();
      // Whoever changed it may have been killed before the file was written.
      if (state !== undefined) keep(state.accounts);
      return state;
    },
    save: (state) => {
      store.save(state);
      keep(state.accounts);
    },
  };
};

const credentialsText = ({ user, password }: LabCredentials): string =>
  `${JSON.stringify({ user, password })}\n`;

const credentialsOf = (value: unknown): LabCredentials => {
  if (
    typeof value === 'object' &&
    value !== null &&
    'user' in value &&
    typeof value.user === 'string' &&
    'password' in value &&
    typeof value.password === 'string'
  ) {
    return { user: value.user, password: value.password };
  }
  throw new Error('it holds no user and password');
};
