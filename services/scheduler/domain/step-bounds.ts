import type { DistanceConstraint } from './claim.ts';
import type { Topology } from './topology.ts';

/** Positions that a constraint allows, both included. An unknown step allows nothing. */
export const boundsOf = (
  { distanceTypes }: Topology,
  { type, minimum, maximum }: DistanceConstraint,
): { readonly least: number; readonly most: number } => {
  const steps = distanceTypes.get(type)?.steps ?? [];
  const positionOf = (code: string) => steps.find((step) => step.code === code)?.position;
  return {
    least: minimum === undefined ? 0 : (positionOf(minimum) ?? Infinity),
    most: maximum === undefined ? Infinity : (positionOf(maximum) ?? -1),
  };
};
