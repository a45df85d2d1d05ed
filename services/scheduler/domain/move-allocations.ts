/** Moves what a claim holds of one resource type from one provider to another. */
import { failedPrecondition } from '../../runtime/errors.ts';
import type { ClaimRecord, HeldProvider, Placement } from './claim.ts';
import type { Move } from './command.ts';

/**
 * The claim with its allocations moved; undefined when it holds none. Errors: failed_precondition
 * INVALID_STATE when the claim has given back the provider to which they would go.
 */
export const moveAllocations = (
  claim: ClaimRecord,
  { fromUid, toUid, resourceType }: Move,
  toName: string,
): ClaimRecord | undefined => {
  const from = claim.providers.findIndex(({ uid }) => uid === fromUid);
  if (from < 0 || claim.providers[from]?.finishMs !== undefined) return undefined;
  const known = claim.providers.findIndex(({ uid }) => uid === toUid);
  const to = known < 0 ? claim.providers.length : known;
  let isMoved = false;
  const placements = claim.placements.flatMap((placement): readonly Placement[] => {
    if (placement.provider !== from) return [placement];
    const parts = split(claim, placement, resourceType);
    if (parts.moved === undefined) return [placement];
    isMoved = true;
    const gone = { ...parts.moved, provider: to };
    return parts.stays === undefined ? [gone] : [parts.stays, gone];
  });
  if (!isMoved) return undefined;
  if (claim.providers[to]?.finishMs !== undefined) throw givenBack(claim, toUid);
  const target: HeldProvider = { uid: toUid, name: toName, finishMs: undefined };
  const providers = known < 0 ? [...claim.providers, target] : claim.providers;
  return { ...claim, ...withoutUnused(providers, placements) };
};

const givenBack = (claim: ClaimRecord, toUid: string) =>
  failedPrecondition('INVALID_STATE', `Claim "${claim.uid}" has given back "${toUid}" already`, {
    metadata: { claim: claim.uid, providerUid: toUid },
  });

type Parts = { readonly stays: Placement | undefined; readonly moved: Placement | undefined };

/** The part of a placement that takes the resource type, and the rest. */
const split = (claim: ClaimRecord, placement: Placement, resourceType: string): Parts => {
  const resources = claim.spec.groups[placement.group]?.resources ?? [];
  const positions = placement.resources ?? [...resources.keys()];
  const takes = (position: number) => resources[position]?.resourceType === resourceType;
  const part = (wanted: boolean): Placement | undefined => {
    const kept = positions.flatMap((position, at) =>
      takes(position) === wanted ? [{ position, amount: placement.amounts?.[at] }] : [],
    );
    if (kept.length === 0) return undefined;
    if (kept.length === positions.length) return placement;
    const { group, index, provider } = placement;
    return {
      group,
      index,
      provider,
      resources: kept.map(({ position }) => position),
      ...(placement.amounts !== undefined && {
        amounts: kept.map(({ amount }) => amount ?? 0),
      }),
    };
  };
  return { stays: part(false), moved: part(true) };
};

/** A provider of which nothing is held any more need not be given back. */
const withoutUnused = (
  providers: readonly HeldProvider[],
  placements: readonly Placement[],
): Pick<ClaimRecord, 'providers' | 'placements'> => {
  const used = new Set(placements.map(({ provider }) => provider));
  const kept = [...providers.keys()].filter((at) => used.has(at));
  const places = new Map(kept.map((at, place) => [at, place]));
  return {
    providers: providers.filter((_, at) => used.has(at)),
    placements: placements.map((one) => ({ ...one, provider: places.get(one.provider) ?? 0 })),
  };
};
