/**
 * Which claims a provider has: those that go on, those with an end or whose release has begun, and
 * those that have ended. A provider has hundreds of slices, and each answer asks which may be late;
 * most have one claim, and of these only its uid is kept.
 */
import { type ClaimRecord, isEnded } from './claim.ts';
import { createSortedKeys, type SortedKeys } from './sorted-keys.ts';
import { UidMap, type UidNumbers } from './uid-map.ts';

export type ProviderClaims = {
  readonly add: (providerUid: string, claim: ClaimRecord) => void;
  /** The claim as it was when it was added. */
  readonly remove: (providerUid: string, claim: ClaimRecord) => void;
  /** Uids of its claims, in this order. */
  readonly of: (providerUid: string, stages: readonly ClaimStage[]) => readonly string[];
  /** Uids of the providers that have any, in their order, from this one on. */
  readonly providersFrom: SortedKeys['from'];
};

export type ClaimStage = 'endless' | 'ending' | 'ended';

type Uids = string | Set<string> | undefined;
type Several = Record<ClaimStage, Uids>;

export const createProviderClaims = (
  numbers: UidNumbers,
  claimOf: (uid: string) => ClaimRecord | undefined,
): ProviderClaims => {
  /** The uid of its only claim, or all by their stage. */
  const lists = new UidMap<string | Several>(numbers);
  const providers = createSortedKeys(() => lists.keys());
  const stageOfUid = (uid: string): ClaimStage => {
    const claim = claimOf(uid);
    return claim === undefined ? 'ended' : stageOf(claim);
  };
  const several = (only: string): Several => {
    const made: Several = { endless: undefined, ending: undefined, ended: undefined };
    made[stageOfUid(only)] = only;
    return made;
  };
  return {
    add: (providerUid, claim) => {
      const there = lists.get(providerUid);
      if (there === claim.uid) return;
      if (there === undefined) {
        lists.set(providerUid, claim.uid);
        providers.add(providerUid);
        return;
      }
      const all = typeof there === 'string' ? several(there) : there;
      const stage = stageOf(claim);
      all[stage] = withUid(all[stage], claim.uid);
      if (all !== there) lists.set(providerUid, all);
    },
    remove: (providerUid, claim) => {
      const there = lists.get(providerUid);
      if (there === undefined || (typeof there === 'string' && there !== claim.uid)) return;
      if (typeof there !== 'string') {
        const stage = stageOf(claim);
        there[stage] = withoutUid(there[stage], claim.uid);
        if (STAGES.some((one) => there[one] !== undefined)) return;
      }
      lists.delete(providerUid);
      providers.remove(providerUid);
    },
    of: (providerUid, stages) => {
      const there = lists.get(providerUid);
      if (there === undefined) return NONE;
      if (typeof there === 'string') return stages.includes(stageOfUid(there)) ? [there] : NONE;
      return stages.flatMap((stage) => [...listOf(there[stage])]);
    },
    providersFrom: providers.from,
  };
};

const NONE: readonly string[] = [];
const STAGES: readonly ClaimStage[] = ['endless', 'ending', 'ended'];

export const stageOf = (claim: ClaimRecord): ClaimStage => {
  if (isEnded(claim)) return 'ended';
  // Once its release has begun that stays so, whatever else changes.
  const hasEnd = claim.releaseBeginMs !== undefined || claim.spec.releaseMs !== undefined;
  return hasEnd ? 'ending' : 'endless';
};

const withUid = (uids: Uids, uid: string): Uids => {
  if (uids === undefined || uids === uid) return uid;
  return typeof uids === 'string' ? new Set([uids, uid]) : uids.add(uid);
};

const withoutUid = (uids: Uids, uid: string): Uids => {
  if (typeof uids !== 'object') return uids === uid ? undefined : uids;
  uids.delete(uid);
  return uids.size === 0 ? undefined : uids;
};

const listOf = (uids: Uids): Iterable<string> => {
  if (uids === undefined) return NONE;
  return typeof uids === 'string' ? [uids] : uids;
};
