import type { FieldViolation } from '../../runtime/errors.ts';

/**
 * One row of what a provider offers, with all defaults filled in (INV-09). Amounts are in the unit
 * of the type.
 */
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

/**
 * What the scheduler is told of one row: what may be allocated at an instant, and in which units.
 */
export type Offer = {
  readonly resourceType: string;
  readonly usable: bigint;
  readonly minUnit: bigint;
  readonly maxUnit: bigint;
  readonly stepSize: bigint;
};

/** The contract's amounts are uint64. */
const AMOUNT_MAX = 2n ** 64n - 1n;

/** What may be allocated at an instant: floor((total - reserved) x ratio). */
export const usable = (amounts: Amounts): bigint =>
  ((amounts.total - amounts.reserved) * BigInt(amounts.ratioMilli)) / 1000n;

/** Zeros of the contract mean defaults: min 1, max total, step 1, ratio 1.0. */
export const withDefaults = (given: Amounts): Amounts => ({
  ...given,
  minUnit: given.minUnit || 1n,
  maxUnit: given.maxUnit || given.total || 1n,
  stepSize: given.stepSize || 1n,
  ratioMilli: given.ratioMilli || 1000,
});

/** What is wrong with the rows, field by field; empty: nothing. */
export const amountViolations = (
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
    if (usable(row) > AMOUNT_MAX) {
      add('allocation_ratio_milli', `makes more usable than an amount can be, ${AMOUNT_MAX}`);
    }
    return found;
  });
};

export const offersOf = (rows: readonly Amounts[]): readonly Offer[] =>
  rows.map((row) => ({
    resourceType: row.resourceType,
    usable: usable(row),
    minUnit: row.minUnit,
    maxUnit: row.maxUnit,
    stepSize: row.stepSize,
  }));

/**
 * Whether anything that could be allocated before cannot be any more: then the scheduler decides
 * first.
 */
export const takesAway = (before: readonly Offer[], after: readonly Offer[]): boolean =>
  before.some((old) => {
    const now = after.find((row) => row.resourceType === old.resourceType);
    if (now === undefined) return old.usable > 0n;
    return (
      now.usable < old.usable ||
      now.maxUnit < old.maxUnit ||
      now.minUnit > old.minUnit ||
      old.stepSize % now.stepSize !== 0n
    );
  });

/**
 * What both offer. The scheduler is told this before a change is written: if the change is written
 * the rest follows by watch, if it is not, nothing was handed out that is not there.
 */
export const lesserOf = (before: readonly Offer[], after: readonly Offer[]): readonly Offer[] =>
  after.flatMap((now) => {
    const old = before.find((row) => row.resourceType === now.resourceType);
    if (old === undefined) return [];
    const maxUnit = least(old.maxUnit, now.maxUnit);
    return [
      {
        resourceType: now.resourceType,
        usable: least(old.usable, now.usable),
        minUnit: most(old.minUnit, now.minUnit),
        maxUnit,
        stepSize: least(commonMultiple(old.stepSize, now.stepSize), fitsNothing(maxUnit)),
      },
    ];
  });

const commonMultiple = (a: bigint, b: bigint): bigint => (a / commonDivisor(a, b)) * b;
const commonDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : commonDivisor(b, a % b));

/** A step that allows no amount; the common multiple itself may be too large a number to tell. */
const fitsNothing = (maxUnit: bigint): bigint => least(maxUnit + 1n, AMOUNT_MAX);

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
