import { unitProblem } from '../capacity.ts';
import type { ResourceRequest } from '../claim.ts';
import type { Filter } from '../constraint.ts';
import { leastAmount } from '../granted.ts';
import type { Shape } from '../shape.ts';
import { saidAmount } from '../spoken.ts';

/** Keeps shapes that offer each resource type in such an amount, were nothing of it used. */
export const offeredFilter: Filter = {
  name: 'offered',
  constraints: ({ resources }) =>
    resources.flatMap((asked) => [
      {
        kind: 'shape' as const,
        resourceType: asked.resourceType,
        name: `${asked.resourceType} offered`,
        keeps: ({ offers }: Shape) => offers.has(asked.resourceType),
      },
      {
        kind: 'shape' as const,
        resourceType: asked.resourceType,
        name: `${asked.resourceType} of ${leastSaid(asked)}`,
        keeps: (shape: Shape) => canEverFit(shape, asked),
      },
    ]),
};

const leastSaid = ({ resourceType, amount, minAmount }: ResourceRequest): string =>
  saidAmount(resourceType, minAmount ?? amount);

const canEverFit = ({ offers }: Shape, asked: ResourceRequest): boolean => {
  const offer = offers.get(asked.resourceType);
  if (offer === undefined) return false;
  const least = leastAmount(offer, asked);
  return least !== undefined && unitProblem(offer, least) === undefined;
};
