/**
 * Judges placements that somebody else chose: a candidate is a hint, and whether it answers the
 * whole request now is decided here again.
 */

import type { Placement, RequestGroup, ResourceRequest } from './claim.ts';
import { mostAmount } from './granted.ts';
import { type PlaceRequest, prepare } from './place.ts';
import type { Chosen as PlanProvider } from './plan.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Run, Slot } from './slot.ts';
import { saidOf } from './spoken.ts';
import { leastOf } from './tally.ts';

export type Proposal = {
  readonly providers: readonly PlanProvider[];
  readonly placements: readonly Placement[];
};

/** At most so many problems are told. */
const PROBLEMS_MAX = 8;

/** What is wrong with the proposal, as people read it; empty = it answers the whole request. */
export const judge = (
  index: ProviderIndex,
  request: PlaceRequest,
  proposal: Proposal,
): readonly string[] => {
  const { runs, relations, tally } = prepare(index, request);
  const problems = coverageProblems(request, proposal);
  for (const placement of proposal.placements) {
    if (problems.length >= PROBLEMS_MAX) break;
    const uid = proposal.providers[placement.provider]?.uid ?? '';
    const member = index.find(uid);
    const parts = runs.filter(({ take, resource }) => {
      const { resources } = placement;
      const isOf = take.position === placement.group;
      return isOf && (resource === undefined || (resources ?? []).includes(resource));
    });
    if (member === undefined || parts.length === 0) {
      problems.push(`provider "${uid}" is not there`);
      continue;
    }
    for (const run of parts) {
      const slot: Slot = { run, index: placement.index, carries: false };
      const candidate = run.candidate(member);
      const where = `provider "${member.facts?.name ?? uid}" for group "${run.group.name}"`;
      if (candidate === undefined) problems.push(`${where} does not meet the request or is in use`);
      else if (tally.room(candidate, run.take, 1) === 0) problems.push(`${where} has no room`);
      else if (!relations.allows(slot, candidate)) {
        problems.push(`${where} does not go with the others`);
      } else {
        tally.add(candidate, run.take);
        const more = amountProblem(run, { placement, member }, (code, amount) => {
          tally.takeMore(candidate, code, amount);
          return tally.freeOf(candidate, code) >= 0;
        });
        if (more !== undefined) problems.push(`${where}: ${more}`);
        relations.add({ slot, candidate });
      }
    }
  }
  return problems;
};

/** Every group at every index must be answered once, with all of its resources. */
const coverageProblems = (
  { spec: { groups, count } }: PlaceRequest,
  { placements }: Proposal,
): string[] => {
  const seen = new Map<string, number>();
  for (const { group, index, resources } of placements) {
    const whole = groups[group];
    if (whole === undefined || index < 0 || index >= count) return ['it answers something else'];
    for (const resource of resources ?? whole.resources.keys()) {
      const key = `${group}/${index}/${resource}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    const isSplit = resources !== undefined && resources.length < whole.resources.length;
    if (isSplit && whole.multipleProviders !== true) {
      return [`group "${whole.name}" must come from one provider`];
    }
  }
  const wanted = groups.reduce((sum, { resources }) => sum + resources.length, 0) * count;
  if ([...seen.values()].some((times) => times > 1)) return ['it answers something twice'];
  return seen.size === wanted ? [] : [`it answers ${seen.size} of ${wanted} resources`];
};

type Given = { readonly placement: Placement; readonly member: Member };

/** Whether what is given beyond the least is allowed and there. */
const amountProblem = (
  run: Run,
  { placement, member }: Given,
  takeMore: (code: string, amount: number) => boolean,
): string | undefined => {
  const { group } = run;
  for (const [at, position] of positionsOf(placement, group).entries()) {
    const asked = group.resources[position];
    if (asked === undefined || (run.resource !== undefined && run.resource !== position)) continue;
    const amount = placement.amounts?.[at] ?? asked.amount;
    const problem = amountsProblem({ asked, amount, member });
    if (problem !== undefined) return problem;
    const least = leastOf({ member }, asked);
    if (amount > least && !takeMore(asked.resourceType, amount - least)) {
      return `${saidOf(asked.resourceType, amount)} is more than is free`;
    }
  }
  return undefined;
};

const positionsOf = ({ resources }: Placement, group: RequestGroup): readonly number[] =>
  resources ?? [...group.resources.keys()];

type Amount = {
  readonly asked: ResourceRequest;
  readonly amount: number;
  readonly member: Member;
};

const amountsProblem = ({ asked, amount, member }: Amount): string | undefined => {
  const { resourceType, minAmount } = asked;
  const notAskedFor = `${saidOf(resourceType, amount)} was not asked for`;
  if (minAmount === undefined) {
    return amount === asked.amount ? undefined : notAskedFor;
  }
  const offer = member.shape.offers.get(resourceType);
  const isAllowed =
    offer !== undefined && amount <= asked.amount && mostAmount(offer, asked, amount) === amount;
  return isAllowed ? undefined : notAskedFor;
};
