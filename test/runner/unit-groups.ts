import { globSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { UNIT_FILES } from './options.ts';

/** Beside the tests, because AVA takes no others; written for one run and in no commit. */
export const GROUPS_FOLDER = 'test/grouped';

/** So many that both cores are busy to the end of a run, and few enough to load little twice. */
const GROUPS = 16;

export type UnitGroups = Disposable & {
  /** Of test files, each of which imports many. */
  readonly patterns: readonly string[];
};

/**
 * AVA gives each test file a worker, and to start one and load what it tests takes longer than most
 * unit tests: files of one group share theirs. Larger files go first, so that groups are alike.
 */
export const writeUnitGroups = (root: string): UnitGroups => {
  const folder = join(root, GROUPS_FOLDER);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [number, files] of dealt(unitFiles(root), GROUPS).entries()) {
    const lines = files.map((file) => `import '${relative(folder, join(root, file))}';\n`);
    writeFileSync(join(folder, `group-${number + 1}.test.ts`), lines.join(''));
  }
  return {
    patterns: [`${GROUPS_FOLDER}/*.test.ts`],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
};

const unitFiles = (root: string): readonly string[] => {
  const sizeOf = (file: string): number => statSync(join(root, file)).size;
  return globSync([...UNIT_FILES], { cwd: root }).toSorted(
    (a, b) => sizeOf(b) - sizeOf(a) || (a < b ? -1 : 1),
  );
};

/** One after the other to each, as cards are. */
export const dealt = <T>(items: readonly T[], hands: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.min(hands, items.length) }, (_, hand) =>
    items.filter((_, at) => at % hands === hand),
  );
