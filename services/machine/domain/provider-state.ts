/**
 * Where a provider stands between inventory, which records it, and the scheduler, which may place
 * claims on it. What is kept here is what somebody decided; that a claim holds it or waits for its
 * cleaning follows from the claims.
 */
import { failedPrecondition } from '../../runtime/errors.ts';
import { isControlled, type ProviderView } from './capacity.ts';
import type { Problem } from './machine.ts';
import {
  allowedLives,
  type CleaningLife,
  type DecidedLife,
  mayFollow,
  type ProviderLife,
  type ProviderVerb,
} from './provider-lifecycle.ts';

export type ProviderState = {
  readonly providerUid: string;
  readonly partition: string;
  readonly state: DecidedLife;
  /** Grows with every write of the row; 0 = there is no row. */
  readonly version: number;
  /** Inventory generation that the scheduler was told; 0 = none. */
  readonly generation: number;
  /** Set while somebody tells the scheduler, and afterwards if nobody knows what came of it. */
  readonly owner: string | null;
  /** Whether the scheduler was told that it is closed because its agents are drained. */
  readonly isDrained: boolean;
  /** Where a return leads: what it was before an operator closed it. */
  readonly before: 'enrolled' | 'available';
  readonly reason: string;
  /** Empty = the system. */
  readonly principal: string;
  /** 0 = never. */
  readonly sinceMs: number;
  /** Why it failed; null = it did not. */
  readonly problem: Problem | null;
};

export const newProviderState = (providerUid: string, partition: string): ProviderState => ({
  providerUid,
  partition,
  state: 'enrolled',
  version: 0,
  generation: 0,
  owner: null,
  isDrained: false,
  before: 'enrolled',
  reason: '',
  principal: '',
  sinceMs: 0,
  problem: null,
});

/** A claim that has ended on a provider of which nobody has said yet that it is clean. */
export type Cleaning = {
  readonly claimUid: string;
  /** Resource name of the claim. */
  readonly claim: string;
  readonly providerUid: string;
  readonly partition: string;
  readonly sinceMs: number;
  readonly life: CleaningLife;
  /** Since when it is in that life. */
  readonly lifeMs: number;
  readonly problem: Problem | null;
  /**
   * When it was given back; null = it waits. Kept for longer than the scheduler shows a claim that
   * has ended: an older word of it must not have a server cleaned that is somebody else's by now.
   */
  readonly doneMs: number | null;
};

/** Whether it opens when its agent is there; any other waits for an operator. */
export const opensItself = ({ isVmHost, vmAgents }: Pick<ProviderView, 'isVmHost' | 'vmAgents'>) =>
  isVmHost && vmAgents.length > 0;

/** Whether it is inspected before it opens. */
export const isInspected = (
  provider: Pick<ProviderView, 'isMetal' | 'controller' | 'bmcAgents'>,
): boolean => provider.isMetal && isControlled(provider);

/**
 * Whether nothing of a tenant is left on it once no machine is. Guests go with their disks; on
 * anything else the tenant has had the hardware in hand.
 */
export const cleansItself = opensItself;

/** Of a VM host: whether one of its agents is here, and whether all of them are drained. */
export type Served = { readonly isServed: boolean; readonly isDrained: boolean };

const mayOpen = (provider: ProviderView, { isServed, isDrained }: Served): boolean =>
  isServed && !isDrained && !provider.isNeverProvisioned && opensItself(provider);

/** What the scheduler should hold of it; leave: what it holds already. */
export const wantedOf = (
  provider: ProviderView,
  known: Pick<ProviderState, 'state' | 'owner'> | undefined,
  { isServed, isDrained }: Served,
): 'open' | 'closed' | 'leave' => {
  const state = known?.state ?? 'enrolled';
  switch (state) {
    case 'maintenance':
    case 'quarantined':
    case 'retired':
      return 'closed';
    case 'available':
      if (isDrained || provider.isNeverProvisioned) return 'closed';
      return isServed || !opensItself(provider) ? 'open' : 'leave';
    case 'inspecting':
    case 'inspect_failed':
    case 'enrolled':
      if (state === 'enrolled' && mayOpen(provider, { isServed, isDrained })) return 'open';
      // Somebody may have begun to open it and died.
      return known !== undefined && known.owner !== null ? 'closed' : 'leave';
    default:
      return state satisfies never;
  }
};

/** Whether an inspection is to begin now: a new server, or one for which its time has come. */
export const inspectsNow = (
  provider: ProviderView,
  known: Pick<ProviderState, 'state' | 'problem'> | undefined,
  nowMs: number,
): boolean => {
  if (!isInspected(provider)) return false;
  const state = known?.state ?? 'enrolled';
  if (state === 'enrolled') return true;
  const retryMs = known?.problem?.retryMs ?? null;
  return state === 'inspect_failed' && retryMs !== null && retryMs <= nowMs;
};

type Said = { readonly generation: number; readonly isDrained: boolean };

/** Whether the scheduler is known to hold what this state wants of that generation. */
export const isTold = (known: ProviderState, { generation, isDrained }: Said): boolean => {
  const isAsDrained = known.state !== 'available' || known.isDrained === isDrained;
  return known.owner === null && known.generation >= generation && isAsDrained;
};

/** What an operator sees: his own word goes before what the claims say. */
export const shownLife = (
  state: DecidedLife,
  cleanings: readonly Pick<Cleaning, 'life'>[],
  inUse: boolean,
): ProviderLife => {
  if (state === 'maintenance' || state === 'quarantined' || state === 'retired') return state;
  const lives: readonly CleaningLife[] = ['clean_failed', 'releasing', 'cleaning'];
  const worst = lives.find((life) => cleanings.some((one) => one.life === life));
  if (worst !== undefined) return worst;
  return state === 'available' && inUse ? 'in_use' : state;
};

export type AskedLife = {
  readonly name: string;
  readonly opensItself: boolean;
  /** Whether agents reach its controller. */
  readonly isControlled: boolean;
  readonly cleanings: readonly Pick<Cleaning, 'life'>[];
};

/** Where a verb leads. Errors: failed_precondition INVALID_STATE, NO_CONTROLLER. */
export const nextLife = (
  verb: ProviderVerb,
  known: Pick<ProviderState, 'state' | 'before'>,
  asked: AskedLife,
): DecidedLife => {
  const shown = shownLife(known.state, asked.cleanings, false);
  const refused = (hint: string) => invalidState({ verb, name: asked.name, state: shown, hint });
  const { state } = known;
  const isClosed = state === 'maintenance' || state === 'quarantined' || state === 'retired';
  // A claim that waits for its cleaning goes with one that was closed, too.
  const mayClean = isClosed && asked.cleanings.some(({ life }) => life === 'clean_failed');
  const may = mayFollow(shown, verb) || (verb === 'clean' && mayClean);
  switch (verb) {
    case 'accept':
      if (state === 'available') return state;
      if (!may) throw refused('return it instead');
      if (!asked.opensItself) return 'available';
      throw refused('it opens by itself when its agent is connected');
    case 'inspect':
      if (!may) throw refused('return it first');
      if (!asked.isControlled) throw noController(asked.name);
      return state === 'available' ? state : 'inspecting';
    case 'maintain':
      if (may) return 'maintenance';
      throw refused('return it first');
    case 'quarantine':
      return 'quarantined';
    case 'retire':
      return 'retired';
    case 'adopt':
      return 'available';
    case 'clean':
      if (may) return state;
      throw refused('no cleaning of it has failed');
    case 'return':
      if (isClosed) return known.before;
      if (asked.cleanings.length > 0) return state;
      throw refused('it was not taken out of the pool');
    default:
      return verb satisfies never;
  }
};

const noController = (name: string) =>
  failedPrecondition(
    'NO_CONTROLLER',
    `Cannot inspect "${name}": it names no management controller, or no agents with the role bmc`,
    { metadata: { name } },
  );

type Refusal = {
  readonly verb: ProviderVerb;
  readonly name: string;
  readonly state: string;
  readonly hint: string;
};

const invalidState = ({ verb, name, state, hint }: Refusal) => {
  const allowed = allowedLives(verb).map((life) => life.toUpperCase());
  return failedPrecondition(
    'INVALID_STATE',
    `Cannot ${verb} "${name}" while it is ${state}: ${hint}`,
    {
      metadata: { name, state: state.toUpperCase() },
      invalidState: { state: state.toUpperCase(), allowed },
    },
  );
};

/** The state after a verb, with who asked and why. */
export const afterVerb = (
  known: ProviderState,
  next: DecidedLife,
  said: { readonly reason: string; readonly principal: string; readonly nowMs: number },
): ProviderState => {
  const { reason, principal, nowMs } = said;
  // Accepted twice, or only given back by a claim: what is known of it stays.
  if (next === known.state && (next === 'available' || next === 'enrolled')) return known;
  return {
    ...known,
    state: next,
    before: beforeOf(known),
    reason,
    principal,
    sinceMs: nowMs,
    problem: null,
  };
};

/** Where a return will lead; what was never open is looked at anew. */
const beforeOf = (known: ProviderState): ProviderState['before'] => {
  switch (known.state) {
    case 'available':
      return 'available';
    case 'enrolled':
    case 'inspecting':
    case 'inspect_failed':
      return 'enrolled';
    default:
      return known.before;
  }
};
