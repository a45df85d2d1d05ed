import { readFileSync } from 'node:fs';
import type { Measured } from './bench.ts';

/**
 * `>=` and `<=` compare the figure with `value`; `>= limit *` with `value` times what the limit's
 * program reached in the same run; `<= limit *` with the same;
 * `<= limit +` with `value` more than it.
 */
export const OPERATORS = ['>=', '<=', '>= limit *', '<= limit *', '<= limit +'] as const;
export type Operator = (typeof OPERATORS)[number];
export type Target = { readonly op: Operator; readonly value: number };
export type Targets = Readonly<Record<string, Target>>;

/** One line of `--json`. */
export type Judged = {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** null: nothing to compare with. */
  readonly limit: number | null;
  readonly target: Target;
  readonly ok: boolean;
  readonly samples: number;
  readonly limit_command: string | null;
};

export const readTargets = (): Targets =>
  JSON.parse(readFileSync(new URL('./targets.json', import.meta.url), 'utf8'));

/**
 * A figure without a target is a mistake of the bench and throws. A value that is no number is
 * never ok. `figure@1000` is `figure` at that size, and has its target where it has none of its
 * own.
 */
export const judge = (measured: Measured, targets: Targets): Judged => {
  const [base = ''] = measured.figure.split('@');
  const target = targets[measured.figure] ?? targets[base];
  if (target === undefined) throw new Error(`targets.json has no figure "${measured.figure}"`);
  return {
    figure: measured.figure,
    value: rounded(measured.value),
    unit: measured.unit,
    limit: measured.limit === undefined ? null : rounded(measured.limit),
    target,
    ok: isMet(measured, target),
    samples: measured.samples,
    limit_command: measured.limitCommand ?? null,
  };
};

const isMet = ({ value, limit = Number.NaN }: Measured, target: Target): boolean => {
  switch (target.op) {
    case '>=':
      return value >= target.value;
    case '<=':
      return value <= target.value;
    case '>= limit *':
      return value >= limit * target.value;
    case '<= limit *':
      return value <= limit * target.value;
    case '<= limit +':
      return value <= limit + target.value;
    default: {
      const unknown: never = target.op;
      throw new Error(`targets.json has an unknown operator "${unknown}"`);
    }
  }
};

const rounded = (value: number): number =>
  Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
