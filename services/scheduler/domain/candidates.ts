/** Several ways to place a request, best first. */
import { createBudget, isUsedUp, spendPart } from './budget.ts';
import { findPlace, type PlaceRequest } from './place.ts';
import type { Placed } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';

/** Steps that all searches may take together. */
const EXPANSIONS_MAX = 50_000;

/**
 * Each leaves out the first provider of those before it, so no two are the same. Fewer than `limit`
 * when there are no more, or the budget is spent.
 */
export function* candidatesFor(
  index: ProviderIndex,
  request: PlaceRequest,
  limit: number,
): Generator<void, readonly Placed[]> {
  const found: Placed[] = [];
  const except = new Set<number>(request.except);
  const budget = createBudget(EXPANSIONS_MAX);
  while (found.length < limit && !isUsedUp(budget)) {
    const plan = spendPart(budget, EXPANSIONS_MAX, (part) =>
      findPlace(index, { ...request, except, budget: part }),
    );
    if (plan.kind !== 'placed') break;
    found.push(plan);
    yield;
    const first = index.find(plan.providers[0]?.uid ?? '');
    if (first === undefined) break;
    except.add(first.n);
  }
  return found;
}
