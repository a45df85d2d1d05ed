import type { FieldViolation } from '../../runtime/errors.ts';

/** One row of what a provider offers, with all defaults filled in (INV-09). Amounts are in the unit of the type. */
export type Amounts = {
  readonly resourceType: string;
  readonly total: bigint;
  readonly reserved: bigint;
  readonly minUnit: bigint;
  readonly maxUnit: bigint;
  readonly stepSize: bigint;
  /** Oversubscription in thousandths; 1000 is none. */
  readonly ratioMilli: number;
};

/** What may be allocated at an instant: floor((total - reserved) x ratio). */
export const usable = (amounts: Amounts): bigint =>
  ((amounts.total - amounts.reserved) * BigInt(amounts.ratioMilli)) / 1000n;

/** Zeros of the contract mean defaults: min 1, max total, step 1, ratio 1.0. */
export const withDefaults = (given: Amounts): Amounts => ({
  ...given,
  minUnit: given.minUnit || 1n,
  maxUnit: given.maxUnit || (given.total > 0n ? given.total : 1n),
  stepSize: given.stepSize || 1n,
  ratioMilli: given.ratioMilli || 1000,
});

/** What is wrong with the rows, field by field; empty: nothing. */
export const violationsOf = (
  rows: readonly Amounts[],
  knownTypes: ReadonlySet<string>,
): FieldViolation[] => {
  const seen = new Set<string>();
  return rows.flatMap((row, index) => {
    const at = `spec.inventories[${index}]`;
    const found: FieldViolation[] = [];
    const add = (field: string, description: string) =>
      found.push({ field: `${at}.${field}`, description });
    if (!knownTypes.has(row.resourceType)) {
      add('resource_type', `"${row.resourceType}" is not a resource type; see ListResourceTypes`);
    }
    if (seen.has(row.resourceType)) add('resource_type', `"${row.resourceType}" stands here twice`);
    seen.add(row.resourceType);
    if (row.reserved > row.total) add('reserved', `must be at most total, ${row.total}`);
    if (row.minUnit > row.maxUnit) add('min_unit', `must be at most max_unit, ${row.maxUnit}`);
    return found;
  });
};

/** Whether anything that could be allocated before cannot be any more: then the scheduler decides first. */
export const takesAway = (before: readonly Amounts[], after: readonly Amounts[]): boolean =>
  before.some((old) => {
    const now = after.find((row) => row.resourceType === old.resourceType);
    if (now === undefined) return usable(old) > 0n;
    return (
      usable(now) < usable(old) ||
      now.maxUnit < old.maxUnit ||
      now.minUnit > old.minUnit ||
      now.stepSize !== old.stepSize
    );
  });
