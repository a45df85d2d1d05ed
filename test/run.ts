import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../services/runtime/clock.ts';
import { checkSteps, runCheckStep } from './runner/check-step.ts';
import { declaredNeeds } from './runner/declared-needs.ts';
import { parseOptions, type RunOptions, UNIT_FILES } from './runner/options.ts';
import { countAll, type NotRun, summary } from './runner/outcome.ts';
import { type Prepared, prepare } from './runner/prepare.ts';
import { openProven } from './runner/proven.ts';
import { type UnitGroups, writeUnitGroups } from './runner/unit-groups.ts';
import { testToolsDir } from './tools-dir.ts';

/**
 * `npm test`: checks, then what the tests need from the machine, then AVA, then one summary whose
 * last line is `N passed, N failed, N skipped` (each check counts as one). Exit 0 only when nothing
 * failed.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const clock = systemClock;
const print = (line: string): void => console.log(line);
/** Of property tests: the whole run tries as many cases as they say, and the soak many more. */
const UNIT_FACTOR = '0.3';

const main = async (): Promise<number> => {
  const options = parseOptions(process.argv.slice(2));
  const checks = options.prepareOnly ? { passed: 0, failed: 0 } : await runChecks(options);
  const toolsDir = testToolsDir();
  const needed = options.unit ? [] : declaredNeeds(root, patternsOf(options));
  const prepared = await prepare(needed, { toolsDir, clock, print });
  if (options.prepareOnly) return prepared.missing.size === 0 ? 0 : 1;
  const runDir = mkdtempSync(join(tmpdir(), 'runm-test-run-'));
  try {
    using groups = options.unit && options.checks ? writeUnitGroups(root) : undefined;
    const avaExitCode = await runAva(options, { toolsDir, runDir, prepared, groups });
    const counts = countAll(readStats(runDir), {
      avaExitCode,
      checksPassed: checks.passed,
      checksFailed: checks.failed,
    });
    const rest = { notRun: readNotRun(runDir), missing: prepared.missing, root };
    for (const line of summary(counts, rest)) print(line);
    return counts.failed === 0 ? 0 : 1;
  } finally {
    rmSync(runDir, { recursive: true, force: true });
  }
};

const runChecks = async (options: RunOptions): Promise<{ passed: number; failed: number }> => {
  const result = { passed: 0, failed: 0 };
  if (!options.checks) return result;
  const proven = openProven(root);
  const known = checkSteps(root).filter(({ name }) => proven.has(name));
  const wanted = checkSteps(root).filter(({ name }) => !proven.has(name));
  for (const { name } of known) print(`✔ ${name} (nothing has changed)`);
  const well = known.map(({ name }) => name);
  // The type check is the longest; the others run beside it.
  const running = wanted.map((step) => runCheckStep(step, { root, clock }));
  for (const [at, step] of wanted.entries()) {
    const outcome = await running[at];
    for (const line of outcome?.lines ?? []) print(line);
    if (outcome?.passed === true) well.push(step.name);
  }
  proven.keep(well);
  return { passed: well.length, failed: known.length + wanted.length - well.length };
};

const patternsOf = (options: RunOptions): readonly string[] => {
  const files = options.forAva.filter((one) => !one.startsWith('-'));
  return files.length > 0 ? files : ['test/**/*.test.ts'];
};

type AvaRun = {
  readonly toolsDir: string;
  readonly runDir: string;
  readonly prepared: Prepared;
  /** Undefined: each file by itself. */
  readonly groups: UnitGroups | undefined;
};

const runAva = (
  options: RunOptions,
  { toolsDir, runDir, prepared, groups }: AvaRun,
): Promise<number> => {
  const cli = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.js');
  const files = groups?.forAva ?? (options.unit ? UNIT_FILES : []);
  const env = {
    ...process.env,
    RUNM_TOOLS_DIR: toolsDir,
    RUNM_TEST_NOT_RUN_DIR: join(runDir, 'not-run'),
    RUNM_TEST_STATS_FILE: join(runDir, 'stats.json'),
    RUNM_TEST_GROUPED: groups === undefined ? '' : '1',
    // In the whole run not set, as services refuse settings that they do not know.
    ...(groups && { RUNM_PROPERTY_FACTOR: process.env.RUNM_PROPERTY_FACTOR ?? UNIT_FACTOR }),
    RUNM_TEST_APT: prepared.missing.has('apt') ? 'unreachable' : 'reachable',
  };
  const child = spawn(process.execPath, [cli, ...files, ...options.forAva], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  // A Ctrl-C at a terminal reaches AVA by itself; a signal sent to this process alone does not.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', (code) => resolve(code ?? 1));
  });
};

const readStats = (runDir: string): unknown => {
  try {
    return JSON.parse(readFileSync(join(runDir, 'stats.json'), 'utf8'));
  } catch {
    return undefined;
  }
};

const readNotRun = (runDir: string): NotRun[] => {
  const folder = join(runDir, 'not-run');
  try {
    return readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
  } catch {
    return [];
  }
};

process.exitCode = await main();
