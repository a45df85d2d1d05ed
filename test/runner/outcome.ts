/** What is reported at the end of a run. */
export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** A test file that did not run, as test/needs.ts recorded it. */
export type NotRun = { readonly file: string; readonly absent: readonly string[] };

/**
 * Adds AVA's counts and the checks'. A run that ended badly without a failed test counts as one
 * failure.
 */
export const countAll = (
  stats: unknown,
  {
    avaExitCode,
    checksPassed,
    checksFailed,
  }: Record<'avaExitCode' | 'checksPassed' | 'checksFailed', number>,
): Counts => {
  const broken = [
    ...['failedTests', 'failedHooks', 'uncaughtExceptions', 'unhandledRejections'],
    ...['timedOutTests', 'sharedWorkerErrors', 'internalErrors'],
  ].reduce((sum, name) => sum + numberIn(stats, name), 0);
  const failed = avaExitCode === 0 ? broken : Math.max(1, broken);
  return {
    passed: numberIn(stats, 'passedTests') + checksPassed,
    failed: failed + checksFailed,
    skipped: numberIn(stats, 'skippedTests') + numberIn(stats, 'todoTests'),
  };
};

const numberIn = (record: unknown, name: string): number => {
  if (typeof record !== 'object' || record === null) return 0;
  const value: unknown = Object.entries(record).find(([key]) => key === name)?.[1];
  return typeof value === 'number' ? value : 0;
};

/** The last lines of a run. The very last one is read by programs and never changes its shape. */
export const summary = (
  counts: Counts,
  {
    notRun,
    missing,
    root,
  }: {
    readonly notRun: readonly NotRun[];
    readonly missing: ReadonlyMap<string, string>;
    readonly root: string;
  },
): string[] => {
  const lines = notRun.map(({ file, absent }) => {
    const why = absent.map((name) => {
      const reason = missing.get(name);
      return reason === undefined ? name : `${name} (${reason})`;
    });
    return `  ${file.replace(`${root}/`, '')}: needs ${why.join(', ')}`;
  });
  const head = notRun.length === 0 ? [] : [`not run, in ${notRun.length} test files:`];
  const { passed, failed, skipped } = counts;
  return ['', ...head, ...lines, `${passed} passed, ${failed} failed, ${skipped} skipped`];
};
