/**
 * How the first administrator comes to be. In production a one-time token that the installer put
 * into a file becomes the first token of user `admin`, once for ever: what is burned stays burned,
 * also when the user is deleted later. In the embedded mode the process makes the token itself and
 * leaves it in a file for the person who started it.
 */
import { mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import { failedPrecondition } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import type { SqlStore } from '../store/sql/open.ts';
import type { Tx } from '../store/sql/transaction.ts';
import { newHead } from './domain/record.ts';
import { ADMIN } from './domain/role.ts';
import { secretOf, type Token, tokenName } from './domain/token.ts';
import { isSystemAdmin, SYSTEM_ADMIN, type User, userName } from './domain/user.ts';
import type { MetadataRecords } from './ports.ts';
import { hashOf } from './rpc/token-service.ts';

export type BootstrapDeps = {
  readonly store: SqlStore;
  readonly records: MetadataRecords;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

const DAY_MS = 24 * 3_600_000;
const BOOTSTRAP_LIFETIME_MS = 30 * DAY_MS;
const LOCAL_LIFETIME_MS = 366 * DAY_MS;
/** Replaced when less than this is left of it. */
const LOCAL_RENEWAL_MS = 30 * DAY_MS;
const LOCAL_TOKEN_ID = 'local-admin';
const SECRET_BYTES = 32;
const SECRET_CHARS_MIN = 32;
const ACTOR = { principal: 'services/metadata', requestId: 'bootstrap' };

/**
 * Makes user `admin` and its first token of the secret in the file. A secret that was used before
 * changes nothing. Errors: failed_precondition BOOTSTRAP_TOKEN_MISSING, BOOTSTRAP_TOKEN_WEAK,
 * BOOTSTRAP_TOKEN_EXPOSED.
 */
export const burnBootstrapToken = async (deps: BootstrapDeps, file: string): Promise<void> => {
  const { store, records, clock, log } = deps;
  const secret = await readBootstrapToken(file);
  const hash = hashOf(secret);
  const made = await store.transaction(undefined, ACTOR, async (tx) => {
    const nowMs = clock.now().getTime();
    if (!(await records.bootstraps.burn(tx, hash, nowMs))) return false;
    const user = await ensureAdmin(deps, tx);
    await insertToken(deps, tx, {
      user,
      id: `bootstrap-${hash.slice(0, 8)}`,
      hash,
      lifetimeMs: BOOTSTRAP_LIFETIME_MS,
    });
    return true;
  });
  if (made) log.info({ user: ADMIN }, 'the bootstrap token was burned: the administrator is made');
};

/**
 * Sees to it that the file holds a token of user `admin` that works, making user and token where
 * they are missing. Safe to repeat after a crash anywhere in it; a lost or ended token is replaced
 * and its record removed.
 */
export const ensureAdminToken = async (deps: BootstrapDeps, file: string): Promise<void> => {
  const { store, records, clock, random, log } = deps;
  const present = await readFile(file, 'utf8').catch(() => '');
  const goodUntilMs = clock.now().getTime() + LOCAL_RENEWAL_MS;
  const known =
    present.trim() === ''
      ? undefined
      : await store.read((reader) => records.tokens.findByHash(reader, hashOf(present.trim())));
  if (known !== undefined && known.expireMs > goodUntilMs) return;
  const secret = secretOf(random.bytes(SECRET_BYTES));
  // The record first: a file that holds an unknown token is replaced at the next start, by the same
  // steps.
  await store.transaction(undefined, ACTOR, async (tx) => {
    const user = await ensureAdmin(deps, tx);
    const old = await records.tokens.find(tx, LOCAL_TOKEN_ID);
    if (old !== undefined) await records.tokens.remove(tx, old);
    const lifetimeMs = LOCAL_LIFETIME_MS;
    await insertToken(deps, tx, { user, id: LOCAL_TOKEN_ID, hash: hashOf(secret), lifetimeMs });
  });
  await writeSecret(file, secret, random);
  log.info({ file }, 'the administrator’s token was written');
};

const ensureAdmin = async (deps: BootstrapDeps, tx: Tx): Promise<User> => {
  const { records, clock, random } = deps;
  const nowMs = clock.now().getTime();
  const present = await records.users.find(tx, ADMIN);
  if (present === undefined) {
    const head = newHead({ uid: random.uid(), id: ADMIN, nowMs });
    const made: User = { ...head, displayName: '', grants: [SYSTEM_ADMIN] };
    await records.users.insert(tx, made);
    auditUser(tx, 'user.create', made);
    return made;
  }
  if (isSystemAdmin(present.grants)) return present;
  const locked = (await records.users.lock(tx, present.uid)) ?? present;
  const user = { ...locked, grants: [...locked.grants, SYSTEM_ADMIN], updateMs: nowMs };
  await records.users.saveGrants(tx, user);
  auditUser(tx, 'user.grant', user);
  return user;
};

const auditUser = (tx: Tx, action: string, user: User): void =>
  tx.audit({
    action,
    objectKind: 'user',
    objectUid: user.uid,
    objectName: userName(user),
    after: user,
  });

type NewToken = {
  readonly user: User;
  readonly id: string;
  readonly hash: string;
  readonly lifetimeMs: number;
};

const insertToken = async (
  { records, clock, random }: BootstrapDeps,
  tx: Tx,
  { user, id, hash, lifetimeMs }: NewToken,
): Promise<void> => {
  const nowMs = clock.now().getTime();
  const token: Token = {
    ...newHead({ uid: random.uid(), id, nowMs }),
    userUid: user.uid,
    user: user.id,
    hash,
    lifetimeMs,
    expireMs: nowMs + lifetimeMs,
    lastUseMs: 0,
    grants: [],
  };
  await records.tokens.insert(tx, token);
  tx.audit({
    action: 'token.create',
    objectKind: 'token',
    objectUid: token.uid,
    objectName: tokenName(token),
    after: { user: token.user, expireMs: token.expireMs },
  });
};

const readBootstrapToken = async (file: string): Promise<string> => {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw failedPrecondition(
      'BOOTSTRAP_TOKEN_MISSING',
      `Cannot read the bootstrap token file "${file}"; configure none once the installation runs`,
      { metadata: { file }, cause },
    );
  }
  if (((await stat(file)).mode & 0o077) !== 0) {
    throw failedPrecondition(
      'BOOTSTRAP_TOKEN_EXPOSED',
      `Others may read the bootstrap token file "${file}": chmod 600 ${file}`,
      { metadata: { file } },
    );
  }
  if (text.length >= SECRET_CHARS_MIN && /^[A-Za-z0-9._~+/=-]+$/.test(text)) return text;
  throw failedPrecondition(
    'BOOTSTRAP_TOKEN_WEAK',
    `The bootstrap token file "${file}" must hold at least ${SECRET_CHARS_MIN} letters and ` +
      'digits; make one with: openssl rand -hex 32',
    { metadata: { file } },
  );
};

const writeSecret = async (file: string, secret: string, random: Random): Promise<void> => {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${random.uid()}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${secret}\n`);
    await handle.sync();
    await handle.close();
    await rename(draft, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(draft).catch(() => undefined);
    throw error;
  }
};
