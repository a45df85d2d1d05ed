import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../deploy/tools/run-command.ts';
import type { Clock } from '../../services/runtime/clock.ts';

/** One check besides the tests: a program that ends with 0 when all is well. */
export type CheckStep = {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What to type when it fails. */
  readonly cure: string;
};

const STEP_LIMIT_MS = 300_000;

export const checkSteps = (root: string): readonly CheckStep[] => {
  const lock = join('proto', 'lock.binpb');
  const compatible: CheckStep = {
    name: 'contracts: compatible with the last release',
    program: 'node',
    args: [join('deploy', 'release-lock.ts'), '--check'],
    cure: 'add fields and RPCs instead of changing them (proto/lock.binpb is the last release)',
  };
  return [
    {
      name: 'lint and format',
      program: 'biome',
      args: ['check', '--error-on-warnings', '.'],
      cure: 'npm run fix',
    },
    { name: 'types', program: 'tsc', args: typeCheck(root), cure: 'mend what stands above' },
    { name: 'contracts: lint', program: 'buf', args: ['lint'], cure: 'mend what stands above' },
    {
      name: 'contracts: format',
      program: 'buf',
      args: ['format', '--path', 'proto/runmachine', '--diff', '--exit-code'],
      cure: 'npm run fix',
    },
    ...(existsSync(join(root, lock)) ? [compatible] : []),
  ];
};

/**
 * What was found before is kept for files that are as they were, where a checkout can be written.
 * Several checkers do some of the work several times, and one processor has the other checks.
 */
const typeCheck = (root: string): readonly string[] => {
  const checkers = Math.max(1, Math.min(4, availableParallelism() - 1));
  const args = ['--noEmit', '--checkers', String(checkers)];
  const folder = join(root, 'node_modules', '.cache');
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch {
    return args;
  }
  return [...args, '--incremental', '--tsBuildInfoFile', join(folder, 'types.tsbuildinfo')];
};

/** Runs one step; `lines` is one line, after the step's output when it failed. */
export const runCheckStep = async (
  step: CheckStep,
  { root, clock }: { readonly root: string; readonly clock: Clock },
): Promise<{ readonly passed: boolean; readonly lines: readonly string[] }> => {
  const startedMs = clock.monotonicMs();
  const program = join(root, 'node_modules', '.bin', step.program);
  const result = await runCommand(program, step.args, { cwd: root, limitMs: STEP_LIMIT_MS });
  const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(1);
  if (result.exitCode === 0) return { passed: true, lines: [`✔ ${step.name} (${seconds} s)`] };
  const output = `${result.stdout}${result.stderr}`.trimEnd();
  return { passed: false, lines: [output, `✘ ${step.name} (${seconds} s): ${step.cure}`] };
};
