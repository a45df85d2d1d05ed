import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from './usage-error.ts';

/**
 * Where a caller connects and as whom. Secrets stay in files of their own (mode 0600). JSON,
 * because every call of runm reads it and a YAML reader would cost more time than the rest of the
 * call.
 */
export type Profile = {
  readonly endpoint?: string;
  readonly caFile?: string;
  readonly tokenFile?: string;
  readonly partition?: string;
  readonly project?: string;
  /** Control socket of the lab on this machine; absent: there is none. */
  readonly labSocket?: string;
};
export type ProfileFile = { readonly current: string; readonly profiles: Record<string, Profile> };
export type Environment = Readonly<Record<string, string | undefined>>;

export const profileFilePath = (env: Environment): string =>
  env.RUNM_CONFIG ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'runm', 'config.json');

const KEYS = new Set(['endpoint', 'caFile', 'tokenFile', 'partition', 'project', 'labSocket']);

export const readProfiles = (path: string): ProfileFile => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return { current: 'default', profiles: {} };
  }
  const parsed = parsedJson(text, path);
  if (typeof parsed !== 'object' || parsed === null) return { current: 'default', profiles: {} };
  const current = 'current' in parsed ? String(parsed.current) : 'default';
  const profiles: Record<string, Profile> = {};
  const given = 'profiles' in parsed && typeof parsed.profiles === 'object' ? parsed.profiles : {};
  for (const [name, value] of Object.entries(given ?? {})) {
    if (typeof value !== 'object' || value === null) continue;
    const unknown = Object.keys(value).find((key) => !KEYS.has(key));
    if (unknown) {
      throw new UsageError(
        `${path}: profile "${name}" has an unknown key "${unknown}"`,
        `known keys: ${[...KEYS].join(', ')}`,
      );
    }
    profiles[name] = Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, String(entry)]),
    );
  }
  return { current, profiles };
};

const parsedJson = (text: string, path: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `${path} is not JSON: ${error instanceof Error ? error.message : error}`,
      'mend it or remove it; `runm profile set` and `npm start` write it anew',
    );
  }
};

export const writeProfiles = (path: string, file: ProfileFile): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
};

export type Settings = {
  readonly endpoint: string;
  readonly caPem: string | undefined;
  readonly token: string | undefined;
  readonly partition: string;
  readonly project: string;
  readonly profile: string;
  readonly labSocket?: string | undefined;
};

const readSecretFile = (path: string | undefined, what: string): string | undefined => {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new UsageError(
      `cannot read the ${what} file ${path}: ${error instanceof Error ? error.message : error}`,
      'start runmachine again, or choose another profile with `runm profile use`',
    );
  }
};

/**
 * Environment over profile over defaults. RUNM_TOKEN is a value, RUNM_TOKEN_FILE and RUNM_CA_FILE
 * are paths.
 */
export const resolveSettings = (env: Environment, profileName?: string): Settings => {
  const path = profileFilePath(env);
  const file = readProfiles(path);
  const name = profileName ?? env.RUNM_PROFILE ?? file.current;
  const profile = file.profiles[name] ?? {};
  if ((profileName ?? env.RUNM_PROFILE) && !file.profiles[name]) {
    const known = Object.keys(file.profiles).join(', ') || 'none yet';
    throw new UsageError(`there is no profile "${name}" in ${path}`, `profiles: ${known}`);
  }
  const endpoint = env.RUNM_ENDPOINT ?? profile.endpoint ?? 'https://127.0.0.1:7443';
  if (!/^https:\/\/[^/]+\/?$/.test(endpoint)) {
    throw new UsageError(`endpoint "${endpoint}" is not of the form https://host:port`);
  }
  return {
    endpoint,
    caPem: readSecretFile(env.RUNM_CA_FILE ?? profile.caFile, 'CA'),
    token: env.RUNM_TOKEN ?? readSecretFile(env.RUNM_TOKEN_FILE ?? profile.tokenFile, 'token'),
    partition: env.RUNM_PARTITION ?? profile.partition ?? 'lab',
    project: env.RUNM_PROJECT ?? profile.project ?? 'default',
    profile: name,
    labSocket: env.RUNM_LAB_SOCKET ?? profile.labSocket,
  };
};
