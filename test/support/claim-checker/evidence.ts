import type { Call } from './history.ts';
import type { Stored } from './stored.ts';

/** The resource type that stands for a provider as a whole. */
export const WHOLE = 'runm.machine.whole';

export type FleetProvider = {
  readonly uid: string;
  /** Uid of the root of its tree; absent = it stands alone. */
  readonly rootUid?: string;
  /** What it has of each resource type, by the generation of its inventory. */
  readonly amounts: ReadonlyMap<number, ReadonlyMap<string, number>>;
};

export type QuotaShown = {
  readonly project: string;
  readonly resourceType: string;
  readonly used: number;
  /** When it was asked for; no window begins or ends near that time. */
  readonly atMs: number;
};

/** All claims as one replica listed them when the run was over. */
export type Listed = {
  readonly replica: string;
  readonly claims: readonly { readonly uid: string; readonly isReleasing: boolean }[];
};

/** All that a verdict rests on. */
export type Evidence = {
  readonly calls: readonly Call[];
  readonly stored: Stored;
  readonly fleet: readonly FleetProvider[];
  /** What was shown as used of quotas when the run was over; absent = nobody asked. */
  readonly quotas?: readonly QuotaShown[];
  /** Absent = nobody asked. */
  readonly listed?: readonly Listed[];
};

export type Violation = {
  readonly rule: Rule;
  readonly message: string;
};

export type Rule =
  | 'overbooked'
  | 'used-twice'
  | 'claim-lost'
  | 'release-lost'
  | 'end-lost'
  | 'applied-twice'
  | 'nobody-asked'
  | 'closed-provider'
  | 'head-behind'
  | 'list-differs'
  | 'quota-inexact'
  | 'quota-exceeded';
