/**
 * The verdict on a run of claims, from what the clients saw and what the store holds at the end. It
 * knows nothing of leaders, commits or replicas; whatever they do, these must hold.
 */
import type { Evidence, Violation } from './evidence.ts';
import { onClosedProvider } from './place-rules.ts';
import {
  appliedTwice,
  differentLists,
  headBehind,
  lostClaims,
  lostEnds,
  lostReleases,
  nobodyAsked,
} from './promise-rules.ts';
import { exceededQuota, inexactQuota } from './quota-rules.ts';
import { overbooked, usedTwice } from './use-rules.ts';

const RULES: readonly ((evidence: Evidence) => readonly Violation[])[] = [
  overbooked,
  usedTwice,
  lostClaims,
  lostReleases,
  appliedTwice,
  nobodyAsked,
  onClosedProvider,
  headBehind,
  inexactQuota,
  exceededQuota,
  lostEnds,
  differentLists,
];

export const checkClaims = (evidence: Evidence): readonly Violation[] =>
  RULES.flatMap((rule) => rule(evidence));

export const describeViolation = ({ rule, message }: Violation): string => `${rule}: ${message}`;
