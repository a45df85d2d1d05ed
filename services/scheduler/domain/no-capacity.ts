/** How a plan that found no place is told to the caller. */
import { resourceExhausted } from '../../runtime/errors.ts';
import type { Placed, Plan, Refusal } from './plan.ts';

/** Errors: resource_exhausted NO_CAPACITY with the funnel, or SEARCH_LIMIT. */
export const orRefuse = (plan: Plan): Placed => {
  switch (plan.kind) {
    case 'placed':
      return plan;
    case 'refused':
      throw noCapacity(plan.refusal);
    case 'gave-up':
      throw resourceExhausted(
        'SEARCH_LIMIT',
        `After ${plan.expansions} steps it is still open whether the claim fits; ask for less at once`,
        { metadata: { expansions: String(plan.expansions) } },
      );
  }
};

/** What is looked for in time was not found as far as there was time to look. */
export const windowsUnknown = () =>
  resourceExhausted(
    'SEARCH_LIMIT',
    'Within the limits of a search no window was found, and there may be one; ask for less at once',
  );

const noCapacity = ({ funnel, together }: Refusal) => {
  const { providers, remaining } = funnel;
  const removing = funnel.steps.filter(({ removed }) => removed > 0);
  const steps = removing.map(({ constraint, removed }) => `"${constraint}" removed ${removed}`);
  const group = together === undefined ? funnel.group : '';
  const what = together === undefined ? `group "${funnel.group}"` : 'all of it together';
  const fitsWithout = [...funnel.fitsWithout, ...(together === undefined ? [] : [together])];
  const removed = Object.fromEntries(removing.map((step) => [step.constraint, step.removed]));
  const removedBy = together === undefined ? removed : { ...removed, [together]: remaining };
  const because =
    providers === 0
      ? 'there is no provider'
      : `of ${providers} providers ${steps.join(', ') || `${remaining} fit, each for itself`}`;
  const hint =
    fitsWithout.length === 0 ? '' : `; it would fit without "${fitsWithout.join('" or "')}"`;
  return resourceExhausted('NO_CAPACITY', `Nothing fits ${what}: ${because}${hint}`, {
    removedBy,
    fitsWithout,
    metadata: { group, providers: String(providers), fitsWithout: fitsWithout.join('; ') },
  });
};
