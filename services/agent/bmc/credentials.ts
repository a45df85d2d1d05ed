import { type Client, Code, ConnectError } from '@connectrpc/connect';
import type { AgentService } from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { failedPrecondition, unavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { BmcJournal } from '../bmc-journal.ts';
import { type BmcCredentials, BmcError } from '../bmc-port.ts';
import {
  afterRefusal,
  afterSignIn,
  beforeSignIn,
  maySignIn,
  type SignInVerdict,
} from '../domain/sign-in-limit.ts';
import type { ControllerRef, DriverName } from './controller-ref.ts';
import type { Sealer } from './sealed-secrets.ts';
import { unlessAborted } from './unless-aborted.ts';

export type SecretValues = {
  readonly generation: bigint;
  readonly present: BmcCredentials;
  /** Absent: none are staged. */
  readonly staged?: BmcCredentials;
};

export type SignedIn<T> = {
  readonly value: T;
  readonly generation: bigint;
  readonly which: 'present' | 'staged';
  /** Those values. */
  readonly credentials: BmcCredentials;
};

/** Where to sign in, and how. */
export type SignInRef = Pick<ControllerRef, 'key' | 'secret' | 'provider'> & {
  readonly driver: DriverName;
};

/**
 * User and password of controllers: fetched by the name of the secret, kept sealed so that a site
 * that is cut off goes on, and tried so seldom when they are refused that no account locks.
 */
export type Credentials = {
  /** With `isFresh` the control plane is asked even when they were read a moment ago. */
  readonly read: (
    secret: string,
    options: { readonly isFresh: boolean; readonly signal: AbortSignal },
  ) => Promise<SecretValues>;
  /**
   * Calls `attempt` with the values that may be tried now. Errors: BmcError unauthorized when they
   * were refused, or when it is too early to try them again; what `attempt` throws.
   */
  readonly signIn: <T>(
    ref: SignInRef,
    attempt: (credentials: BmcCredentials) => Promise<T>,
    signal: AbortSignal,
  ) => Promise<SignedIn<T>>;
  /** These values were just seen to work there. */
  readonly worked: (
    ref: Pick<ControllerRef, 'key' | 'drivers'>,
    values: SecretValues,
    which: 'present' | 'staged',
  ) => void;
};

export type CredentialDeps = {
  readonly client: Pick<Client<typeof AgentService>, 'getSecret'>;
  readonly journal: BmcJournal;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Logger;
};

const FRESH_MS = 30_000;
/** While a wrong password is waited for, the control plane is asked no oftener than this. */
const ASK_AGAIN_MS = 5_000;
const FETCH_MS = 10_000;
const CACHED_MAX = 20_000;

type Cached = { readonly values: SecretValues; readonly readAtMs: number };

export const createCredentials = (deps: CredentialDeps): Credentials => {
  const cache = new Map<string, Cached>();
  const fetching = new Map<string, Promise<SecretValues>>();
  const read: Credentials['read'] = async (secret, { isFresh, signal }) => {
    const cached = cache.get(secret);
    const ageMs = deps.clock.monotonicMs() - (cached?.readAtMs ?? Number.NEGATIVE_INFINITY);
    if (cached && ageMs < (isFresh ? 0 : FRESH_MS)) return cached.values;
    const present = fetching.get(secret);
    if (present) return unlessAborted(present, signal);
    // Others may wait for it, so it does not end with the one who asked first.
    const started = fetchValues(deps, secret)
      .then((values) => {
        cache.delete(secret);
        cache.set(secret, { values, readAtMs: deps.clock.monotonicMs() });
        if (cache.size > CACHED_MAX) cache.delete(cache.keys().next().value ?? '');
        return values;
      })
      .finally(() => fetching.delete(secret));
    fetching.set(secret, started);
    return unlessAborted(started, signal);
  };
  const readAgain = async (secret: string, signal: AbortSignal): Promise<SecretValues> => {
    const ageMs = deps.clock.monotonicMs() - (cache.get(secret)?.readAtMs ?? 0);
    return read(secret, { isFresh: ageMs > ASK_AGAIN_MS, signal });
  };
  return {
    read,
    signIn: async (ref, attempt, signal) => {
      let values = await read(ref.secret, { isFresh: false, signal });
      let verdict = verdictOf(deps, ref, values);
      if (verdict.kind === 'wait') {
        values = await readAgain(ref.secret, signal);
        verdict = verdictOf(deps, ref, values);
      }
      if (verdict.kind === 'wait') throw tooEarly(deps, ref, values);
      return tryEach(deps, { ref, values, which: verdict.which }, attempt);
    },
    worked: (ref, values, which) => {
      for (const driver of ref.drivers) {
        const account = accountOf({ ...ref, driver }, values[which] ?? values.present);
        deps.journal.saveSignIn(account, afterSignIn(values.generation, which));
      }
    },
  };
};

type Door = Pick<SignInRef, 'key' | 'driver'>;

/**
 * One account of one controller by one protocol: many let a user in by Redfish only, and what IPMI
 * refuses must not keep Redfish from being asked. IPMI is tried where Redfish has let us in or is
 * not there, so no account gets more attempts by it.
 */
const accountOf = ({ key, driver }: Door, { user }: BmcCredentials): string =>
  driver === 'redfish' ? `${key} ${user}` : `${key} ${user} by ${driver}`;

const verdictOf = (
  { journal, clock }: CredentialDeps,
  ref: Door,
  values: SecretValues,
): SignInVerdict =>
  maySignIn(journal.signIn(accountOf(ref, values.present)), {
    generation: values.generation,
    hasStaged: values.staged !== undefined,
    nowMs: clock.now().getTime(),
  });

type Trying = {
  readonly ref: SignInRef;
  readonly values: SecretValues;
  readonly which: readonly ('present' | 'staged')[];
};

const tryEach = async <T>(
  deps: CredentialDeps,
  { ref, values, which }: Trying,
  attempt: (credentials: BmcCredentials) => Promise<T>,
): Promise<SignedIn<T>> => {
  const { journal, clock } = deps;
  const account = accountOf(ref, values.present);
  const before = journal.signIn(account);
  const { generation } = values;
  const nowMs = clock.now().getTime();
  let last: unknown;
  for (const one of which) {
    const credentials = values[one];
    if (credentials === undefined) continue;
    const isKnown = before.generation === generation && before.works === one;
    if (!isKnown) journal.saveSignIn(account, beforeSignIn(before, generation, nowMs));
    try {
      const value = await attempt(credentials);
      if (!isKnown) journal.saveSignIn(account, afterSignIn(generation, one));
      return { value, generation, which: one, credentials };
    } catch (error) {
      if (!(error instanceof BmcError) || error.fault !== 'unauthorized') {
        // The others were refused: next time these come first, or those were tried each time.
        const after = last === undefined ? before : afterSignIn(generation, one);
        if (!isKnown) journal.saveSignIn(account, after);
        throw error;
      }
      last = error;
      journal.saveSignIn(account, afterRefusal(before, generation, nowMs));
    }
  }
  deps.log.warn({ provider: ref.provider, secret: ref.secret }, 'a controller refused credentials');
  throw refusal(deps, { ref, values }, last);
};

const refusal = (
  { journal }: CredentialDeps,
  { ref, values }: Omit<Trying, 'which'>,
  cause: unknown,
): BmcError => {
  const { notBeforeMs } = journal.signIn(accountOf(ref, values.present));
  const { user } = values.present;
  return new BmcError(
    'unauthorized',
    `The BMC of "${ref.provider}" refuses user "${user}" of secret "${ref.secret}"; ` +
      `it is not tried again before ${new Date(notBeforeMs).toISOString()}, so that the account ` +
      'does not lock. Change the secret and it is tried at once',
    cause instanceof BmcError ? cause.said : [],
    cause,
  );
};

const tooEarly = (
  { journal }: CredentialDeps,
  ref: Trying['ref'],
  values: SecretValues,
): BmcError => {
  const { notBeforeMs, refusals } = journal.signIn(accountOf(ref, values.present));
  const often = refusals === 1 ? 'once' : `${refusals} times`;
  return new BmcError(
    'unauthorized',
    `The BMC of "${ref.provider}" refused user "${values.present.user}" of secret ` +
      `"${ref.secret}" ${often}; it is not tried again before ` +
      `${new Date(notBeforeMs).toISOString()}, so that the account does not lock. ` +
      'Change the secret and it is tried at once',
  );
};

/** What the control plane says, and while it says nothing what is sealed here. */
const fetchValues = async (deps: CredentialDeps, secret: string): Promise<SecretValues> => {
  if (secret === '') {
    throw failedPrecondition('NOT_FOUND', 'No secret is named for this BMC; set spec.bmc.secret');
  }
  try {
    const answer = await deps.client.getSecret({ name: secret }, { timeoutMs: FETCH_MS });
    const { generation, data, stagedData } = answer;
    const kept = { generation: String(generation), data, stagedData };
    const text = JSON.stringify(kept);
    if (unsealed(deps, secret) !== text) {
      deps.journal.saveSealedSecret(secret, deps.sealer.seal(secret, text));
    }
    return valuesOf(secret, kept);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    if (error.code === Code.NotFound || error.code === Code.PermissionDenied) {
      deps.journal.forgetSecret(secret);
      throw failedPrecondition(
        'NOT_FOUND',
        `There is no secret "${secret}", or nothing of this agent names it`,
        { metadata: { name: secret }, cause: error },
      );
    }
    const text = unsealed(deps, secret);
    if (text !== undefined) return valuesOf(secret, JSON.parse(text));
    throw unavailable('SERVICE_UNAVAILABLE', `Cannot read the secret "${secret}" now`, {
      metadata: { name: secret },
      cause: error,
    });
  }
};

const unsealed = ({ journal, sealer }: CredentialDeps, secret: string): string | undefined => {
  const sealed = journal.sealedSecret(secret);
  return sealed && sealer.unseal(secret, sealed);
};

type Kept = {
  readonly generation: string;
  readonly data: Readonly<Record<string, string>>;
  readonly stagedData: Readonly<Record<string, string>>;
};

const valuesOf = (secret: string, { generation, data, stagedData }: Kept): SecretValues => {
  const { user, password } = data;
  if (user === undefined || password === undefined) {
    throw failedPrecondition(
      'INVALID_FIELD',
      `The secret "${secret}" has no key "${user === undefined ? 'user' : 'password'}"`,
      { metadata: { name: secret } },
    );
  }
  const present = { user, password };
  const staged = { user: stagedData.user ?? user, password: stagedData.password ?? '' };
  const hasStaged = stagedData.password !== undefined;
  return { generation: BigInt(generation), present, ...(hasStaged ? { staged } : {}) };
};
