/** What a machine asks the scheduler for, and which place of a given claim it takes. */
import { type Holding, isMetal, type Machine } from './machine.ts';
import { cpusOf, memoryBytesOf } from './spec.ts';

export const CPU = 'runm.cpu.shared';
export const MEMORY = 'runm.memory';
export const WHOLE = 'runm.machine.whole';
export const STORAGE = 'runm.storage.block';
/** Capability that a provider of virtual machines must have. */
export const VIRTUAL_CAPABILITY = 'vm.qemu';
export const CONSUMER_TYPE = 'runm.machine';
const MIB = 1024 ** 2;

export type Amount = { readonly resourceType: string; readonly amount: number };

/** A whole server; of a guest cpus, memory and, where it has a disk, storage in whole MiB. */
export const amountsOf = (machine: Machine): readonly Amount[] => {
  if (isMetal(machine)) return [{ resourceType: WHOLE, amount: 1 }];
  const diskBytes = Math.ceil(machine.resolved.diskBytes / MIB) * MIB;
  return [
    { resourceType: CPU, amount: cpusOf(machine.spec) },
    { resourceType: MEMORY, amount: memoryBytesOf(machine.spec) },
    ...(diskBytes > 0 ? [{ resourceType: STORAGE, amount: diskBytes }] : []),
  ];
};

/** The id of the claim that is made for a machine: found again by name after a crash. */
export const ownClaimId = (machineUid: string): string => `machine-${machineUid}`;

/** Whether it was made for a machine and lives as long as that. */
export const isOwnClaim = (
  claim: Pick<ClaimView, 'name' | 'consumerType' | 'consumerUid'>,
): boolean =>
  claim.consumerType === CONSUMER_TYPE && claim.name.endsWith(ownClaimId(claim.consumerUid));

export type ClaimState = 'pending' | 'active' | 'waiting' | 'at_risk' | 'releasing' | 'released';

export type ClaimPlace = {
  readonly group: string;
  readonly index: number;
  readonly provider: string;
  readonly providerUid: string;
  readonly resourceType: string;
  readonly amount: number;
  readonly finished: boolean;
};

export type ClaimView = {
  readonly name: string;
  readonly uid: string;
  readonly state: ClaimState;
  /** Empty = nobody yet. */
  readonly consumerType: string;
  readonly consumerUid: string;
  readonly createMs: number;
  readonly places: readonly ClaimPlace[];
};

export type UsedPlace = { readonly group: string; readonly index: number };

export type Choice =
  | { readonly kind: 'place'; readonly holding: Holding }
  | { readonly kind: 'refused'; readonly why: string };

/** The first place of the claim that no living machine uses and that is large enough. */
export const choosePlace = (
  claim: ClaimView,
  machine: Machine,
  used: readonly UsedPlace[],
): Choice => {
  const refused = (why: string): Choice => ({ kind: 'refused', why });
  if (claim.state !== 'active') {
    return refused(`the claim ${claim.name} is ${claim.state}, not active`);
  }
  if (claim.consumerUid !== '' && claim.consumerUid !== machine.uid) {
    return refused(`the claim ${claim.name} is used by another consumer`);
  }
  const places = new Map<string, ClaimPlace[]>();
  for (const place of claim.places) {
    const key = `${place.group}/${place.index}/${place.providerUid}`;
    places.set(key, [...(places.get(key) ?? []), place]);
  }
  let why = `the claim ${claim.name} has no place left`;
  for (const [first, ...more] of places.values()) {
    if (first === undefined) continue;
    const isUsed = used.some((one) => one.group === first.group && one.index === first.index);
    if (isUsed) continue;
    const lacking = lackingOf([first, ...more], machine);
    if (lacking === undefined) return { kind: 'place', holding: holdingOf(claim, first, false) };
    why = `the claim ${claim.name} has too little ${lacking} for this machine`;
  }
  return refused(why);
};

const lackingOf = (places: readonly ClaimPlace[], machine: Machine): string | undefined =>
  amountsOf(machine).find(
    ({ resourceType, amount }) =>
      !places.some((place) => place.resourceType === resourceType && place.amount >= amount),
  )?.resourceType;

/** The claim that was made for the machine: all of it is the machine's. */
export const holdOwn = (claim: ClaimView): Holding | undefined => {
  const [place] = claim.places;
  return place === undefined ? undefined : holdingOf(claim, place, true);
};

const holdingOf = (claim: ClaimView, place: ClaimPlace, owned: boolean): Holding => ({
  claim: claim.name,
  claimUid: claim.uid,
  group: place.group,
  index: place.index,
  owned,
  provider: place.provider,
  providerUid: place.providerUid,
});

/** What the sweeper does about a claim. */
export type ClaimVerdict =
  | { readonly kind: 'leave' }
  /** Its resources end: the machine on it must go. */
  | { readonly kind: 'delete-machines' }
  /** Nobody uses it any more. */
  | { readonly kind: 'release' }
  /** No machine is on these providers: what cleans itself is clean, the others wait. */
  | { readonly kind: 'finish'; readonly providerUids: readonly string[] };

/** A claim younger than this may belong to a machine whose row this reader has not seen yet. */
const GRACE_MS = 60_000;

/**
 * `machines` are the living machines that hold the claim or, for their own claim, are its consumer.
 */
export const judgeClaim = (
  claim: ClaimView,
  machines: readonly Pick<Machine, 'uid' | 'state'>[],
  nowMs: number,
): ClaimVerdict => {
  if (isLeftAlone(claim, nowMs)) return { kind: 'leave' };
  const living = machines.filter((machine) => machine.state !== 'gone');
  if (isEnding(claim)) {
    if (living.length > 0) {
      const isLeaving = living.every((machine) => machine.state === 'releasing');
      return isLeaving ? { kind: 'leave' } : { kind: 'delete-machines' };
    }
    const open = claim.places.filter((place) => !place.finished);
    const providerUids = [...new Set(open.map((place) => place.providerUid))];
    return providerUids.length === 0 ? { kind: 'leave' } : { kind: 'finish', providerUids };
  }
  return living.length === 0 ? { kind: 'release' } : { kind: 'leave' };
};

/** Nothing follows from it now, whatever machines are on it. */
export const isLeftAlone = (claim: ClaimView, nowMs: number): boolean =>
  !isEnding(claim) && !(isOwnClaim(claim) && nowMs - claim.createMs >= GRACE_MS);

export const isEnding = ({ state }: Pick<ClaimView, 'state'>): boolean =>
  state === 'releasing' || state === 'released';
