import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { UNIT_FILES } from './options.ts';

/** Beside the tests, because AVA takes no others; each run has a folder in it, in no commit. */
export const GROUPS_FOLDER = 'test/grouped';

/** All run at once: so many that one that is longer than others does no harm, and few to load. */
const GROUPS = 4;

export type UnitGroups = Disposable & {
  /**
   * Test files that import many. A group has one test after the other, so that none waits in vain
   * for a condition while hundreds of others have their turns.
   */
  readonly forAva: readonly string[];
};

/**
 * AVA gives each test file a worker, and to start one and load what it tests takes longer than most
 * unit tests: files of one group share theirs. Larger files go first, so that groups are alike.
 */
export const writeUnitGroups = (root: string): UnitGroups => {
  removeLeft(join(root, GROUPS_FOLDER));
  const own = join(GROUPS_FOLDER, String(process.pid));
  const folder = join(root, own);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [number, files] of dealt(unitFiles(root), GROUPS).entries()) {
    const lines = files.map((file) => `import '${relative(folder, join(root, file))}';\n`);
    writeFileSync(join(folder, `group-${number + 1}.test.ts`), lines.join(''));
  }
  return {
    forAva: [`--concurrency=${GROUPS}`, `${own}/*.test.ts`],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** Of runs that were killed. */
const removeLeft = (folder: string): void => {
  if (!existsSync(folder)) return;
  for (const pid of readdirSync(folder)) {
    if (!isRunning(Number(pid))) rmSync(join(folder, pid), { recursive: true, force: true });
  }
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

const unitFiles = (root: string): readonly string[] => {
  const sizeOf = (file: string): number => statSync(join(root, file)).size;
  return globSync([...UNIT_FILES], { cwd: root }).toSorted(
    (a, b) => sizeOf(b) - sizeOf(a) || (a < b ? -1 : 1),
  );
};

/** One after the other to each, and back again, so that nobody always has the larger one. */
export const dealt = <T>(items: readonly T[], hands: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.min(hands, items.length) }, (_, hand) =>
    items.filter((_, at) => {
      const place = at % hands;
      return hand === (Math.floor(at / hands) % 2 === 0 ? place : hands - 1 - place);
    }),
  );
