import type { CapacityRecord } from './capacity.ts';
import type { ClaimRecord } from './claim.ts';
import type { QuotaRecord } from './quota.ts';

/** A record that somebody else committed, or took away. */
export type FollowedChange =
  | { readonly kind: 'claim'; readonly claim: ClaimRecord }
  | { readonly kind: 'claim-gone'; readonly uid: string }
  | { readonly kind: 'capacity'; readonly record: CapacityRecord }
  | { readonly kind: 'capacity-gone'; readonly uid: string }
  | { readonly kind: 'quota'; readonly quota: QuotaRecord };
