/** How long a provider may stay in the states that end by themselves. */
import type { ProviderLife } from './provider-lifecycle.ts';
import type { Cleaning, ProviderState } from './provider-state.ts';

/** Reading the facts, with tries while the controller or its agents are away. */
export const INSPECT_MS = 10 * 60_000;
/** Until nobody uses it and it is off. */
export const RELEASE_MS = 15 * 60_000;

type Seen = {
  readonly known: Pick<ProviderState, 'sinceMs'>;
  readonly cleanings: readonly Pick<Cleaning, 'life' | 'lifeMs'>[];
  /** What a cleaning may take; undefined = an operator says when it is clean. */
  readonly cleaningMs: number | undefined;
};

/** When the state ends at the latest; undefined: it stays until somebody acts. */
export const deadlineOf = (
  life: ProviderLife,
  { known, cleanings, cleaningMs }: Seen,
): number | undefined => {
  const begun = cleanings.filter((one) => one.life === life).map(({ lifeMs }) => lifeMs);
  switch (life) {
    case 'inspecting':
      return known.sinceMs + INSPECT_MS;
    case 'releasing':
      return Math.max(...begun) + RELEASE_MS;
    case 'cleaning':
      return cleaningMs === undefined ? undefined : Math.max(...begun) + cleaningMs;
    default:
      return undefined;
  }
};
