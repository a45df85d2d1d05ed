import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { LabAccount, LabServer } from '../server-port.ts';
import type { LabRequest } from './message.ts';

/** Sessions, passwords and lockout of one controller (DSP0266, authentication). */
export type LabSession = {
  readonly id: string;
  readonly user: string;
  readonly createdAt: Date;
};

export type Who =
  | { readonly kind: 'user'; readonly account: LabAccount }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'locked' };

export type SignedIn =
  | { readonly kind: 'session'; readonly session: LabSession; readonly token: string }
  | { readonly kind: 'refused' | 'locked' | 'full' };

export type Guard = {
  readonly who: (request: Pick<LabRequest, 'headers'>) => Who;
  readonly signIn: (user: string, password: string) => SignedIn;
  readonly sessions: () => readonly LabSession[];
  readonly signOut: (id: string) => boolean;
  readonly timeoutSeconds: () => number;
  readonly setTimeoutSeconds: (seconds: number) => void;
  readonly isLocked: (user: string) => boolean;
  /** Ends every session. */
  readonly signOutAll: () => void;
  readonly lockout: () => Lockout;
  readonly setLockout: (lockout: Lockout) => void;
  /** How often a password was tried and refused, since it began. */
  readonly refusals: () => number;
};

export type GuardOptions = {
  readonly server: LabServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly sessionTimeoutSeconds?: number;
  readonly sessionsMax?: number;
};

export type Lockout = {
  /** Refusals after which an account waits; 0: never. */
  readonly threshold: number;
  /** How long it waits, and after how long refusals are forgotten. */
  readonly durationSeconds: number;
};

const LOCKOUT: Lockout = { threshold: 5, durationSeconds: 30 };
const SESSIONS_MAX = 8;
const TIMEOUT_SECONDS = 600;

type Kept = LabSession & { readonly password: string; usedMs: number };

export const createGuard = (options: GuardOptions): Guard => {
  const { server, clock, random, sessionsMax = SESSIONS_MAX } = options;
  let timeoutSeconds = options.sessionTimeoutSeconds ?? TIMEOUT_SECONDS;
  const kept = new Map<string, Kept>();
  const passwords = createPasswords(server, clock);

  const dropWhere = (isOver: (one: Kept) => boolean): boolean => {
    const tokens = [...kept].filter(([, one]) => isOver(one)).map(([token]) => token);
    for (const token of tokens) kept.delete(token);
    return tokens.length > 0;
  };
  /** What nobody used for too long, and what was opened with another password than it is now. */
  const dropOver = (): void => {
    const oldestMs = clock.monotonicMs() - timeoutSeconds * 1000;
    dropWhere(
      ({ usedMs, user, password }) =>
        usedMs < oldestMs || passwords.accountOf(user)?.password !== password,
    );
  };

  return {
    isLocked: passwords.isLocked,
    refusals: passwords.refusals,
    lockout: passwords.lockout,
    setLockout: passwords.setLockout,
    signOutAll: () => kept.clear(),
    timeoutSeconds: () => timeoutSeconds,
    setTimeoutSeconds: (seconds) => {
      timeoutSeconds = seconds;
    },
    who: ({ headers }) => {
      dropOver();
      const session = kept.get(headers['x-auth-token'] ?? '');
      if (session === undefined) {
        const basic = basicIn(headers.authorization ?? '');
        return basic === undefined ? { kind: 'nobody' } : passwords.check(...basic);
      }
      session.usedMs = clock.monotonicMs();
      const account = passwords.accountOf(session.user);
      return account === undefined ? { kind: 'nobody' } : { kind: 'user', account };
    },
    signIn: (user, password) => {
      dropOver();
      const who = passwords.check(user, password);
      if (who.kind !== 'user') return { kind: who.kind === 'locked' ? 'locked' : 'refused' };
      if (kept.size >= sessionsMax) return { kind: 'full' };
      const token = random.bytes(24).toString('base64url');
      const id = random.bytes(6).toString('hex');
      const session = { id, user, createdAt: clock.now() };
      kept.set(token, { ...session, password, usedMs: clock.monotonicMs() });
      return { kind: 'session', session, token };
    },
    sessions: () => {
      dropOver();
      return [...kept.values()].map(({ id, user, createdAt }) => ({ id, user, createdAt }));
    },
    signOut: (id) => dropWhere((one) => one.id === id),
  };
};

type Failures = { readonly count: number; readonly lastMs: number };

/** Checks passwords, counts refusals, and locks an account for a while after too many. */
const createPasswords = (server: LabServer, clock: Clock) => {
  let refused = 0;
  let lockout = LOCKOUT;
  const failures = new Map<string, Failures>();
  const isLocked = (user: string): boolean => {
    const found = failures.get(user);
    if (found === undefined) return false;
    const sinceMs = clock.monotonicMs() - found.lastMs;
    if (sinceMs > lockout.durationSeconds * 1000) failures.delete(user);
    return lockout.threshold > 0 && failures.has(user) && found.count >= lockout.threshold;
  };
  const accountOf = (user: string): LabAccount | undefined =>
    server.accounts().find((one) => one.user === user && one.enabled);
  const check = (user: string, password: string): Who => {
    if (isLocked(user)) return { kind: 'locked' };
    const account = accountOf(user);
    if (account !== undefined && isSame(account.password, password)) {
      failures.delete(user);
      return { kind: 'user', account };
    }
    refused += 1;
    if (failures.size >= NAMES_MAX) failures.clear();
    const count = (failures.get(user)?.count ?? 0) + 1;
    failures.set(user, { count, lastMs: clock.monotonicMs() });
    return { kind: 'nobody' };
  };
  const setLockout = (next: Lockout): void => {
    lockout = next;
  };
  const refusals = () => refused;
  return { isLocked, accountOf, check, refusals, lockout: () => lockout, setLockout };
};

/** Whoever tries names forever fills nothing. */
const NAMES_MAX = 1_000;

const basicIn = (header: string): [string, string] | undefined => {
  const encoded = /^basic\s+(\S+)$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
};

const isSame = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
};
