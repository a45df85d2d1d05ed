/**
 * What a project may claim. A claim counts against its project and every project above it, over its
 * window until its release begins; what counts is the peak.
 */
import type { RequestNote } from './claim.ts';

/** By resource type: the most that may be held at any instant. */
export type Limits = ReadonlyMap<string, number>;

export type QuotaRecord = {
  /** As metadata spells it. */
  readonly project: string;
  /** Projects above it, nearest first, as keys (lower case). */
  readonly ancestors: readonly string[];
  /** Of the project and all below it. */
  readonly limits: Limits;
  /** Limits of single principals in the project and all below it. */
  readonly users: ReadonlyMap<string, Limits>;
  /** Length of a claim that says no end; absent = it has none. */
  readonly claimLengthDefaultMs?: number;
  readonly claimLengthMaxMs?: number;
  /** Grows with every change. */
  readonly generation: number;
  readonly updateMs: number;
  readonly requests: readonly RequestNote[];
};

/** What stands where nothing was set. */
export const NO_LIMITS: Limits = new Map();

/** What makes its etag: of this quota, and of no other object. */
export const quotaIdentity = (
  partition: string,
  { project, generation }: Pick<QuotaRecord, 'project' | 'generation'>,
) => ({
  uid: `${partition.toLowerCase()}/${project.toLowerCase()}/quota`,
  version: generation,
});

export type QuotaUse = {
  readonly resourceType: string;
  /** undefined = it is not limited here. */
  readonly limit: number | undefined;
  readonly used: number;
  /** At the busiest instant from now on. */
  readonly peak: number;
};
