import type { Placement } from './claim.ts';

/** A provider that a plan uses. */
export type Chosen = { readonly uid: string; readonly name: string };

/** What one constraint removed of those that the constraints before it had left. */
export type FunnelStep = { readonly constraint: string; readonly removed: number };

/** What each constraint of a request group leaves of the providers. */
export type Funnel = {
  /** Of a group over several providers with the resource that it is about. */
  readonly group: string;
  /** The request group alone. */
  readonly requestGroup: string;
  /** Providers that were looked at. */
  readonly providers: number;
  /** In the order in which the filters run; those that removed nothing are there too. */
  readonly steps: readonly FunnelStep[];
  readonly remaining: number;
  /** Whether the count of the request would find room were the group alone. */
  readonly fitsAlone: boolean;
  /** Each of these constraints, were it alone dropped, would leave room for the count. */
  readonly fitsWithout: readonly string[];
  /** Those of them that a caller can leave out. */
  readonly canDrop: readonly string[];
};

/** Why nothing fits. */
export type Refusal = {
  /**
   * Of the group that found no place; of the first where each alone has one, but not all together.
   */
  readonly funnel: Funnel;
  /** What stands in the way of all together; undefined = one group alone finds no place. */
  readonly together: string | undefined;
};

export type Placed = {
  readonly kind: 'placed';
  readonly providers: readonly Chosen[];
  readonly placements: readonly Placement[];
};

export type Plan =
  | Placed
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The search gave up: nobody knows whether it fits. */
  | { readonly kind: 'gave-up'; readonly expansions: number };
