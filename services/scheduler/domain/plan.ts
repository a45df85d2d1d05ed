import type { Placement } from './claim.ts';

/** A provider that a plan uses. */
export type Chosen = { readonly uid: string; readonly name: string };

/** Why nothing fits: what each constraint removed, and which one alone would have made it fit. */
export type Refusal = {
  /** Providers removed by constraint, in the order in which the filters ran. */
  readonly removedBy: Readonly<Record<string, number>>;
  /** Each of these constraints, were it alone dropped, would have left a provider. */
  readonly suffices: readonly string[];
  /** Group of the request that found no place; empty = each alone has one, but not all together. */
  readonly group: string;
  /** Providers that were looked at. */
  readonly providers: number;
};

export type Plan =
  | {
      readonly kind: 'placed';
      readonly providers: readonly Chosen[];
      readonly placements: readonly Placement[];
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The search gave up: nobody knows whether it fits. */
  | { readonly kind: 'gave-up'; readonly expansions: number };
