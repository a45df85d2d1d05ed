/**
 * How many cases a property test tries. RUNM_PROPERTY_FACTOR multiplies them: fewer are tried by
 * `npm run test:unit` than by `npm test`, and many more by `npm run soak:properties`. No number
 * would be no case, and a green test.
 */
export const propertyRuns = (
  runs: number,
  factor: string = process.env.RUNM_PROPERTY_FACTOR ?? '1',
): number => {
  const times = Number(factor);
  if (times > 0 && Number.isFinite(times)) return Math.max(1, Math.round(runs * times));
  throw new RangeError(`RUNM_PROPERTY_FACTOR is a number above 0, not "${factor}"`);
};
