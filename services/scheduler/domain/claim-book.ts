/** The claims of a partition in memory, found by uid, name, project, provider and consumer. */
import { type ClaimRecord, isEnded, keyOf } from './claim.ts';
import { createKeyLists, type KeyLists } from './key-lists.ts';
import { type ClaimStage, createProviderClaims, stageOf } from './provider-claims.ts';
import { createSortedKeys, type SortedKeys } from './sorted-keys.ts';
import { UidNumbers } from './uid-map.ts';

export type ClaimBook = {
  readonly put: (claim: ClaimRecord) => void;
  readonly remove: (uid: string) => void;
  readonly get: (uid: string) => ClaimRecord | undefined;
  /** The living claim of that name, else the one of that name that ended last. */
  readonly findByName: (project: string, claimId: string) => ClaimRecord | undefined;
  /** Those that have ended too. */
  readonly ofProvider: (providerUid: string) => Iterable<ClaimRecord>;
  /** Those that have not ended. */
  readonly livingOf: (providerUid: string) => Iterable<ClaimRecord>;
  /** Of these, those with an end and those whose release has begun. */
  readonly endingOf: (providerUid: string) => Iterable<ClaimRecord>;
  /** Uids of providers that claims have or had, in their order, from this one on. */
  readonly providersFrom: (first?: string) => Iterable<string>;
  /** By the uid of the consumer. */
  readonly ofConsumer: (consumerUid: string) => Iterable<ClaimRecord>;
  /** Projects that have claims, as keys (lower case). */
  readonly projects: () => Iterable<string>;
  /**
   * The project's claims in the order of their names, those of one name by uid; from the name
   * `first` (a key) on.
   */
  readonly ofProject: (project: string, first?: string) => Iterable<ClaimRecord>;
  readonly all: () => IterableIterator<ClaimRecord>;
  readonly size: () => number;
};

type Project = {
  /** Uids by the key of the claim's name. */
  readonly named: KeyLists;
  readonly names: SortedKeys;
};

/** `numbers` are those of providers, which others may use too. */
export const createClaimBook = (numbers = new UidNumbers()): ClaimBook => {
  const claims = new Map<string, ClaimRecord>();
  const projects = new Map<string, Project>();
  const byProvider = createProviderClaims(numbers, (uid) => claims.get(uid));
  const byConsumer = createKeyLists();

  const projectOf = (claim: ClaimRecord): Project => {
    const key = keyOf(claim.project);
    const known = projects.get(key);
    if (known !== undefined) return known;
    const named = createKeyLists();
    const made = { named, names: createSortedKeys(named.keys) };
    projects.set(key, made);
    return made;
  };
  /** What may change while a claim lives: where it is and what it is for. */
  const link = (claim: ClaimRecord): void => {
    for (const { uid } of claim.providers) byProvider.add(uid, claim);
    const consumer = claim.spec.consumer?.uid;
    if (consumer !== undefined) byConsumer.add(consumer, claim.uid);
  };
  const unlink = (claim: ClaimRecord): void => {
    for (const { uid } of claim.providers) byProvider.remove(uid, claim);
    const consumer = claim.spec.consumer?.uid;
    if (consumer !== undefined) byConsumer.remove(consumer, claim.uid);
  };
  const addName = (claim: ClaimRecord): void => {
    const { named, names } = projectOf(claim);
    const key = keyOf(claim.claimId);
    if (named.add(key, claim.uid)) names.add(key);
  };
  const removeName = (claim: ClaimRecord): void => {
    const { named, names } = projectOf(claim);
    const key = keyOf(claim.claimId);
    named.remove(key, claim.uid);
    if (!named.has(key)) names.remove(key);
    if (named.size() === 0) projects.delete(keyOf(claim.project));
  };
  const known = (uids: Iterable<string>): ClaimRecord[] => {
    const found: ClaimRecord[] = [];
    for (const uid of uids) {
      const claim = claims.get(uid);
      if (claim !== undefined) found.push(claim);
    }
    return found;
  };

  return {
    put: (claim) => {
      const before = claims.get(claim.uid);
      claims.set(claim.uid, claim);
      if (before === undefined) addName(claim);
      else if (isElsewhere(before, claim)) unlink(before);
      link(claim);
    },
    remove: (uid) => {
      const claim = claims.get(uid);
      if (claim === undefined) return;
      claims.delete(uid);
      removeName(claim);
      unlink(claim);
    },
    get: (uid) => claims.get(uid),
    findByName: (project, claimId) => {
      const uids = projects.get(keyOf(project))?.named.get(keyOf(claimId));
      const named = uids === undefined ? [] : known(uids);
      return named.find((claim) => !isEnded(claim)) ?? newest(named);
    },
    ofProvider: (uid) => known(byProvider.of(uid, ALL)),
    livingOf: (uid) => known(byProvider.of(uid, LIVING)),
    endingOf: (uid) => known(byProvider.of(uid, ENDING)),
    providersFrom: byProvider.providersFrom,
    ofConsumer: (consumerUid) => known(byConsumer.get(consumerUid)),
    projects: () => projects.keys(),
    ofProject: function* (project, first) {
      const there = projects.get(keyOf(project));
      if (there === undefined) return;
      for (const name of there.names.from(first)) {
        yield* known([...there.named.get(name)].sort());
      }
    },
    all: () => claims.values(),
    size: () => claims.size,
  };
};

const ALL: readonly ClaimStage[] = ['endless', 'ending', 'ended'];
const LIVING: readonly ClaimStage[] = ['endless', 'ending'];
const ENDING: readonly ClaimStage[] = ['ending'];

/** True when it stands in other lists than before. */
const isElsewhere = (before: ClaimRecord, claim: ClaimRecord): boolean =>
  before.providers !== claim.providers ||
  before.spec !== claim.spec ||
  stageOf(before) !== stageOf(claim);

/**
 * The order of lists, without regard to case: the keys of partition, project and claim, then the
 * uid.
 */
export const orderKey = (claim: ClaimRecord): readonly [string, string, string, string] => [
  keyOf(claim.partition),
  keyOf(claim.project),
  keyOf(claim.claimId),
  claim.uid,
];

const newest = (claims: readonly ClaimRecord[]): ClaimRecord | undefined =>
  claims.toSorted((a, b) => b.createMs - a.createMs || compare(b.uid, a.uid))[0];

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
