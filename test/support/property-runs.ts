/**
 * How many cases a property test tries. RUNM_PROPERTY_FACTOR multiplies them: the default run is
 * short, `npm run soak:properties` is long.
 */
const factor = Number(process.env.RUNM_PROPERTY_FACTOR ?? '1');

export const propertyRuns = (runs: number): number => Math.max(1, Math.round(runs * factor));
