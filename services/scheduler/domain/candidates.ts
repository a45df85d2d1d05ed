/** Several ways to place a request, best first. */
import { findPlace, type PlaceRequest } from './place.ts';
import type { Placed } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';

/** Steps that all searches for further candidates may take together. */
const EXPANSIONS_MAX = 20_000;

/**
 * Each leaves out the first provider of those before it, so no two are the same. Fewer than `limit`
 * when there are no more, or the budget is spent.
 */
export const candidatesFor = (
  index: ProviderIndex,
  request: PlaceRequest,
  limit: number,
): readonly Placed[] => {
  const found: Placed[] = [];
  const except = new Set<number>(request.except);
  const slots = request.spec.count * request.spec.groups.length;
  const searches = Math.max(1, Math.min(limit, Math.floor(EXPANSIONS_MAX / slots)));
  while (found.length < searches) {
    const plan = findPlace(index, {
      ...request,
      except,
      expansionsMax: Math.ceil(EXPANSIONS_MAX / searches) + slots,
    });
    if (plan.kind !== 'placed') break;
    found.push(plan);
    const first = index.find(plan.providers[0]?.uid ?? '');
    if (first === undefined) break;
    except.add(first.n);
  }
  return found;
};
