/**
 * The life-cycle of a provider as operators see it. README.md draws it and says a sentence per
 * state; a test compares the two. What is decided lies in the provider's row, what an ended claim
 * still waits for lies with that claim (its cleaning), and use follows from the claims; the table
 * is over all of them, because that is what one looks at.
 */
import { internal } from '../../runtime/errors.ts';

/** What somebody decided, or an inspection found. */
export type DecidedLife =
  | 'enrolled'
  | 'inspecting'
  | 'inspect_failed'
  | 'available'
  | 'maintenance'
  | 'quarantined'
  | 'retired';

/** Where the cleaning after a claim stands. */
export type CleaningLife = 'releasing' | 'cleaning' | 'clean_failed';

export type ProviderLife = DecidedLife | CleaningLife | 'in_use';

export type ProviderVerb =
  | 'accept'
  | 'inspect'
  | 'maintain'
  | 'quarantine'
  | 'return'
  | 'clean'
  | 'adopt'
  | 'retire';

export type ProviderEvent =
  | ProviderVerb
  | 'served'
  | 'inspected'
  | 'inspect_failed'
  | 'claimed'
  | 'freed'
  | 'claim_ended'
  | 'powered_off'
  | 'cleaned'
  | 'clean_failed';

type Transitions = Record<ProviderLife, Partial<Record<ProviderEvent, readonly ProviderLife[]>>>;

/** What an operator may do in every state. */
const ALWAYS = {
  quarantine: ['quarantined'],
  retire: ['retired'],
  adopt: ['available'],
} as const;

/** Several targets: what else is known of the provider decides. */
export const TRANSITIONS = {
  enrolled: {
    ...ALWAYS,
    served: ['available'],
    inspect: ['inspecting'],
    accept: ['available'],
    maintain: ['maintenance'],
  },
  inspecting: {
    ...ALWAYS,
    inspected: ['available'],
    inspect_failed: ['inspect_failed'],
    inspect: ['inspecting'],
    accept: ['available'],
    maintain: ['maintenance'],
  },
  inspect_failed: {
    ...ALWAYS,
    inspect: ['inspecting'],
    accept: ['available'],
    maintain: ['maintenance'],
  },
  available: {
    ...ALWAYS,
    accept: ['available'],
    inspect: ['available'],
    claimed: ['in_use'],
    maintain: ['maintenance'],
  },
  in_use: {
    ...ALWAYS,
    accept: ['in_use'],
    inspect: ['in_use'],
    freed: ['available'],
    claim_ended: ['releasing', 'cleaning'],
    maintain: ['maintenance'],
  },
  releasing: {
    ...ALWAYS,
    powered_off: ['cleaning'],
    clean_failed: ['clean_failed'],
    return: ['available', 'in_use'],
    maintain: ['maintenance'],
  },
  cleaning: {
    ...ALWAYS,
    cleaned: ['available', 'in_use'],
    clean_failed: ['clean_failed'],
    return: ['available', 'in_use'],
    maintain: ['maintenance'],
  },
  clean_failed: {
    ...ALWAYS,
    clean: ['releasing'],
    return: ['available', 'in_use'],
    maintain: ['maintenance'],
  },
  maintenance: { ...ALWAYS, maintain: ['maintenance'], return: ['enrolled', 'available'] },
  quarantined: { ...ALWAYS, return: ['enrolled', 'available'] },
  retired: { ...ALWAYS, return: ['enrolled', 'available'] },
} as const satisfies Transitions;

const TABLE: Transitions = TRANSITIONS;

/** States that stay until somebody acts; every other has a deadline. Cleaning: without a hook. */
export const STABLE: ReadonlySet<ProviderLife> = new Set<ProviderLife>([
  'enrolled',
  'inspect_failed',
  'available',
  'in_use',
  'clean_failed',
  'maintenance',
  'quarantined',
  'retired',
]);

export const LIVES: readonly ProviderLife[] = Object.keys(TABLE).filter(
  (key): key is ProviderLife => key in TABLE,
);

export const mayFollow = (state: ProviderLife, event: ProviderEvent): boolean =>
  TABLE[state][event] !== undefined;

export const allowedLives = (event: ProviderEvent): readonly ProviderLife[] =>
  LIVES.filter((state) => mayFollow(state, event));

/** The one state to which the event of a cleaning or an inspection leads. */
export const follow = <S extends ProviderLife>(
  state: ProviderLife,
  event: ProviderEvent,
  target: S,
): S => {
  if (TABLE[state][event]?.includes(target) === true) return target;
  throw internal('INTERNAL', `A provider that is "${state}" cannot get "${target}" by "${event}"`);
};
