/**
 * Where a provider stands between inventory, which records it, and the scheduler, which may place
 * claims on it. What is kept here is what somebody decided; that a claim holds it or waits for its
 * cleaning follows from the claims.
 */
import { failedPrecondition } from '../../runtime/errors.ts';
import type { ProviderView } from './capacity.ts';

export type ProviderLife = 'enrolled' | 'available' | 'maintenance' | 'quarantined';
export type ProviderVerb = 'accept' | 'maintain' | 'quarantine' | 'return';

export type ProviderState = {
  readonly providerUid: string;
  readonly partition: string;
  readonly state: ProviderLife;
  /** Grows with every write of the row; 0 = there is no row. */
  readonly version: number;
  /** Inventory generation that the scheduler was told; 0 = none. */
  readonly generation: number;
  /** Set while somebody tells the scheduler, and afterwards if nobody knows what came of it. */
  readonly owner: string | null;
  /** Where a return leads: what it was before an operator closed it. */
  readonly before: 'enrolled' | 'available';
  readonly reason: string;
  /** Empty = the system. */
  readonly principal: string;
  /** 0 = never. */
  readonly sinceMs: number;
};

export const newProviderState = (providerUid: string, partition: string): ProviderState => ({
  providerUid,
  partition,
  state: 'enrolled',
  version: 0,
  generation: 0,
  owner: null,
  before: 'enrolled',
  reason: '',
  principal: '',
  sinceMs: 0,
});

/** A claim that has ended on a provider of which nobody has said yet that it is clean. */
export type Cleaning = {
  readonly claimUid: string;
  /** Resource name of the claim. */
  readonly claim: string;
  readonly providerUid: string;
  readonly partition: string;
  readonly sinceMs: number;
};

/** Whether it opens when its agent is there; any other waits for an operator. */
export const opensItself = ({ isVmHost, vmAgents }: Pick<ProviderView, 'isVmHost' | 'vmAgents'>) =>
  isVmHost && vmAgents.length > 0;

/**
 * Whether nothing of a tenant is left on it once no machine is. Guests go with their disks; on
 * anything else the tenant has had the hardware in hand.
 */
export const cleansItself = opensItself;

/** What the scheduler should hold of it; leave: what it holds already. */
export const wantedOf = (
  provider: ProviderView,
  known: Pick<ProviderState, 'state' | 'owner'> | undefined,
  isServed: boolean,
): 'open' | 'closed' | 'leave' => {
  const state = known?.state ?? 'enrolled';
  switch (state) {
    case 'maintenance':
    case 'quarantined':
      return 'closed';
    case 'available':
      return isServed || !opensItself(provider) ? 'open' : 'leave';
    case 'enrolled':
      if (isServed && opensItself(provider)) return 'open';
      // Somebody may have begun to open it and died.
      return known !== undefined && known.owner !== null ? 'closed' : 'leave';
    default:
      return state satisfies never;
  }
};

/** Whether the scheduler is known to hold what this state wants of that generation. */
export const isTold = (known: ProviderState, generation: number): boolean =>
  known.owner === null && known.generation >= generation;

/**
 * Where a verb leads. Errors: failed_precondition INVALID_STATE. `cleanings` is how many ended
 * claims wait for it.
 */
export const nextLife = (
  verb: ProviderVerb,
  known: ProviderState,
  asked: { readonly name: string; readonly opensItself: boolean; readonly cleanings: number },
): ProviderLife => {
  const refused = (allowed: readonly string[], hint: string) =>
    invalidState({ verb, name: asked.name, state: known.state, allowed, hint });
  const { state } = known;
  switch (verb) {
    case 'accept':
      if (state === 'available') return state;
      if (state !== 'enrolled') throw refused(['ENROLLED'], 'return it instead');
      if (!asked.opensItself) return 'available';
      throw refused([], 'it opens by itself when its agent is connected');
    case 'maintain':
      if (state !== 'quarantined') return 'maintenance';
      throw refused(['ENROLLED', 'AVAILABLE', 'MAINTENANCE'], 'return it first');
    case 'quarantine':
      return 'quarantined';
    case 'return':
      if (state === 'maintenance' || state === 'quarantined') return known.before;
      if (asked.cleanings > 0) return state;
      throw refused(['MAINTENANCE', 'QUARANTINED', 'CLEANING'], 'it was not taken out of the pool');
    default:
      return verb satisfies never;
  }
};

type Refusal = {
  readonly verb: ProviderVerb;
  readonly name: string;
  readonly state: string;
  readonly allowed: readonly string[];
  readonly hint: string;
};

const invalidState = ({ verb, name, state, allowed, hint }: Refusal) =>
  failedPrecondition('INVALID_STATE', `Cannot ${verb} "${name}" while it is ${state}: ${hint}`, {
    metadata: { name, state: state.toUpperCase() },
    invalidState: { state: state.toUpperCase(), allowed },
  });

/** The state after a verb, with who asked and why. */
export const afterVerb = (
  known: ProviderState,
  next: ProviderLife,
  said: { readonly reason: string; readonly principal: string; readonly nowMs: number },
): ProviderState => {
  const { reason, principal, nowMs } = said;
  // Accepted twice, or only given back by a claim: what is known of it stays.
  if (next === known.state && (next === 'available' || next === 'enrolled')) return known;
  const isOpenOrNew = known.state === 'enrolled' || known.state === 'available';
  return {
    ...known,
    state: next,
    before: isOpenOrNew ? known.state : known.before,
    reason,
    principal,
    sinceMs: nowMs,
  };
};
