/** From what a search chose to what a claim records. */
import type { Candidate } from './candidate.ts';
import type { Placement } from './claim.ts';
import { mostAmount } from './granted.ts';
import type { Placed, Chosen as PlanProvider } from './plan.ts';
import type { Run, Slot } from './slot.ts';
import { leastOf, type Tally } from './tally.ts';

type Chosen = {
  readonly slot: Pick<Slot, 'index'> & { readonly run: Pick<Run, 'take' | 'resource'> };
  readonly candidate: Candidate;
};

/** The only placement of a request, with just what was asked for. */
export const placedOn = ({ member }: Pick<Candidate, 'member'>): Placed => ({
  kind: 'placed',
  providers: [{ uid: member.uid, name: member.facts?.name ?? '' }],
  placements: [{ group: 0, index: 0, provider: 0 }],
});

/** What is given beyond a minimum is given now, in the order of the placements. */
export const placedPlan = (chosen: readonly Chosen[], tally: Tally): Placed => {
  const numbers = new Map<number, number>();
  const providers: PlanProvider[] = [];
  const inOrder = chosen.toSorted(
    (a, b) =>
      a.slot.run.take.position - b.slot.run.take.position ||
      a.slot.index - b.slot.index ||
      (a.slot.run.resource ?? 0) - (b.slot.run.resource ?? 0),
  );
  const placements = inOrder.map((one): Placement => {
    const { member } = one.candidate;
    const known = numbers.get(member.n);
    const provider = known ?? providers.length;
    if (known === undefined) {
      numbers.set(member.n, provider);
      providers.push({ uid: member.uid, name: member.facts?.name ?? '' });
    }
    const { run, index } = one.slot;
    const amounts = amountsOf(one, tally);
    return {
      group: run.take.position,
      index,
      provider,
      ...(run.resource !== undefined && { resources: [run.resource] }),
      ...(amounts !== undefined && { amounts }),
    };
  });
  return { kind: 'placed', providers, placements };
};

/** undefined = just what was asked for. */
const amountsOf = ({ slot, candidate }: Chosen, tally: Tally): readonly number[] | undefined => {
  const { resources } = slot.run.take;
  if (resources.every(({ minAmount }) => minAmount === undefined)) return undefined;
  return resources.map((asked) => {
    const { resourceType } = asked;
    const least = leastOf(candidate, asked);
    const offer = candidate.member.shape.offers.get(resourceType);
    const free = tally.freeOf(candidate, resourceType) + least;
    const most = (offer === undefined ? undefined : mostAmount(offer, asked, free)) ?? least;
    tally.takeMore(candidate, resourceType, most - least);
    return most;
  });
};
