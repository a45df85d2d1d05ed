import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Bmc, type BmcCredentials, type BmcDriver, BmcError } from '../bmc-port.ts';
import { addressFor, type ControllerRef, type DriverName } from './controller-ref.ts';
import type { Credentials, SecretValues } from './credentials.ts';

/**
 * Sessions with controllers, kept open for what comes next: signing in costs a controller seconds,
 * and many have room for four. Idle ones are closed, because others want that room too; and so are
 * those that were opened with what the secret no longer says, or a wrong new password would not
 * show until they end.
 */
export type BmcSessions = {
  /** The open session, or a new one. Its user works on that controller alone. */
  readonly open: (ref: ControllerRef, driver: DriverName, signal: AbortSignal) => Promise<OpenBmc>;
  /** A session that is not shared and closed by whoever opened it, for a console. */
  readonly openOwn: (ref: ControllerRef, driver: DriverName, signal: AbortSignal) => Promise<Bmc>;
  /** Closes what is open with that controller: it went wrong, or the credentials change. */
  readonly drop: (ref: ControllerRef, driver?: DriverName) => Promise<void>;
  readonly has: (driver: DriverName) => boolean;
  /** Closes idle ones until the signal aborts, then all. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  readonly count: () => number;
};

export type OpenBmc = {
  readonly bmc: Bmc;
  /** It was open before; it may have ended at the controller without our knowing. */
  readonly isUsed: boolean;
  readonly which: 'present' | 'staged';
  readonly release: () => void;
};

type Kept = {
  readonly ref: ControllerRef;
  readonly driver: DriverName;
  readonly bmc: Bmc;
  readonly which: 'present' | 'staged';
  readonly credentials: BmcCredentials;
  /** Of the secret, when it still said these credentials. */
  generation: bigint;
  usedAtMs: number;
  users: number;
};

type Deps = {
  readonly drivers: readonly BmcDriver[];
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Logger;
};

const IDLE_MS = 90_000;
const LOOK_MS = 15_000;
const KEPT_MAX = 1_024;
const CLOSE_MS = 5_000;

export const createBmcSessions = (deps: Deps): BmcSessions => {
  const kept = new Map<string, Kept>();
  const close = async (id: string, one: Kept): Promise<void> => {
    if (kept.get(id) === one) kept.delete(id);
    await one.bmc.close(AbortSignal.timeout(CLOSE_MS)).catch((error: unknown) => {
      deps.log.debug({ provider: one.ref.provider, err: error }, 'a BMC session was not closed');
    });
  };
  const dial = async (ref: ControllerRef, name: DriverName, signal: AbortSignal) => {
    const driver = deps.drivers.find((one) => one.name === name);
    if (!driver) throw new BmcError('unsupported', `This agent speaks no ${name}`);
    const attempt = (credentials: Parameters<typeof driver.open>[1]) =>
      driver.open(addressFor(ref, name), credentials, signal);
    return deps.credentials.signIn({ ...ref, driver: name }, attempt, signal);
  };
  /** Those that are used longest ago make room. */
  const makeRoom = (): void => {
    for (const [id, one] of kept) {
      if (kept.size < KEPT_MAX) return;
      if (one.users === 0) void close(id, one);
    }
  };
  const closeIdle = async (idleMs: number): Promise<void> => {
    const nowMs = deps.clock.monotonicMs();
    const idle = [...kept].filter(([, one]) => one.users === 0 && nowMs - one.usedAtMs >= idleMs);
    await Promise.all(idle.map(([id, one]) => close(id, one)));
  };
  /** What cannot be asked is as it was: a site that is cut off goes on. */
  const isReplaced = async (one: Kept, signal: AbortSignal): Promise<boolean> => {
    const asked = { isFresh: false, signal };
    let values: SecretValues;
    try {
      values = await deps.credentials.read(one.ref.secret, asked);
    } catch (error) {
      signal.throwIfAborted();
      // It is gone, or lacks a user or a password: whoever signs in is told.
      return isDomainError(error, 'failed_precondition');
    }
    if (values.generation === one.generation) return false;
    const known = [values.present, values.staged];
    if (known.every((other) => !isSame(one.credentials, other))) return true;
    one.generation = values.generation;
    return false;
  };
  return {
    has: (name) => deps.drivers.some((one) => one.name === name),
    count: () => kept.size,
    open: async (ref, driver, signal) => {
      const id = `${driver} ${ref.key} ${ref.secret} ${ref.certificateSha256}`;
      const present = kept.get(id);
      if (present && (present.users > 0 || !(await isReplaced(present, signal)))) {
        return lend(deps.clock, kept, { id, one: present, isUsed: true });
      }
      if (present) await close(id, present);
      const { value: bmc, ...signedIn } = await dial(ref, driver, signal);
      makeRoom();
      const usedAtMs = deps.clock.monotonicMs();
      const one: Kept = { ref, driver, bmc, ...signedIn, usedAtMs, users: 0 };
      kept.set(id, one);
      return lend(deps.clock, kept, { id, one, isUsed: false });
    },
    openOwn: async (ref, driver, signal) => (await dial(ref, driver, signal)).value,
    drop: async (ref, driver) => {
      const those = [...kept].filter(
        ([, one]) => one.ref.key === ref.key && (driver ?? one.driver) === one.driver,
      );
      await Promise.all(those.map(([id, one]) => close(id, one)));
    },
    work: async (signal) => {
      while (!signal.aborted) {
        await deps.clock.sleep(LOOK_MS, signal).catch(() => undefined);
        if (!signal.aborted) await closeIdle(IDLE_MS);
      }
      await Promise.all([...kept].map(([id, one]) => close(id, one)));
    },
  };
};

const isSame = (one: BmcCredentials, other: BmcCredentials | undefined): boolean =>
  one.user === other?.user && one.password === other.password;

type Lending = { readonly id: string; readonly one: Kept; readonly isUsed: boolean };

const lend = (clock: Clock, kept: Map<string, Kept>, { id, one, isUsed }: Lending): OpenBmc => {
  one.users += 1;
  // The order of the map is that of the last use.
  kept.delete(id);
  kept.set(id, one);
  return {
    bmc: one.bmc,
    isUsed,
    which: one.which,
    release: () => {
      one.users -= 1;
      one.usedAtMs = clock.monotonicMs();
    },
  };
};
