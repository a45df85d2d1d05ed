/**
 * `node test/run.ts [--unit] [--prepare] [files and AVA options…]`. Naming files or AVA options
 * runs just these, without the checks.
 */
export type RunOptions = {
  /** Only test/unit and test/tidy.test.ts: needs no system programs. */
  readonly unit: boolean;
  /** Fetch the system programs that the tests need, and stop. */
  readonly prepareOnly: boolean;
  /** Lint, types and contracts before the tests. */
  readonly checks: boolean;
  /** Passed to AVA: files, patterns, options. */
  readonly forAva: readonly string[];
};

export const UNIT_FILES: readonly string[] = ['test/unit/**/*.test.ts', 'test/tidy.test.ts'];

export const parseOptions = (args: readonly string[]): RunOptions => {
  const own = new Set(['--unit', '--prepare', '--']);
  const forAva = args.filter((one) => !own.has(one));
  return {
    unit: args.includes('--unit'),
    prepareOnly: args.includes('--prepare'),
    checks: forAva.length === 0,
    forAva,
  };
};
