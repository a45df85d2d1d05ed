import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ava, { type TestFn } from 'ava';
import type { ProgramName, ToolName } from '../deploy/tools/catalog.ts';
import { toolOf } from '../deploy/tools/catalog.ts';
import { isInPath } from '../deploy/tools/install-command.ts';
import { findProgram, type Program } from '../deploy/tools/program.ts';
import { testToolsDir } from './tools-dir.ts';

export { slot } from './slot.ts';

/**
 * What a test file needs from the machine, declared once at its top:
 *
 *     const need = needs('etcd');
 *     const test = need.test;
 *     test('…', async (t) => { spawn(need.program('etcd').path, …) });
 *
 * test/run.ts fetches what is named here before AVA starts, so that parallel files do not race for
 * it. Without it, `node test/run.ts --prepare etcd` does the same.
 */
export type Need = ToolName | 'apt';

export type Needs = {
  /** AVA's `test` when everything is here; else one whose tests are reported as not run. */
  readonly test: TestFn;
  /** Throws for a program that was not declared or is not here. */
  readonly program: (name: ProgramName) => Program;
  /** Why the tests do not run; undefined when they do. */
  readonly missing: string | undefined;
};

export const needs = (...wanted: readonly Need[]): Needs => {
  const toolsDir = testToolsDir();
  const absent = wanted.filter((name) => !isHere(name, toolsDir));
  const missing = absent.length === 0 ? undefined : `needs ${absent.join(', ')}`;
  if (missing !== undefined) recordNotRun(absent);
  return {
    test: missing === undefined ? ava : notRunning(missing),
    program: (name) => {
      if (!wanted.includes(toolOf(name))) throw new Error(`needs('${toolOf(name)}') is missing`);
      const found = findProgram(name, toolsDir);
      if (found === undefined) throw new Error(`${name} is neither installed nor in ${toolsDir}`);
      return found;
    },
    missing,
  };
};

/** `apt` is a working package mirror; test/run.ts tries it and tells the test files. */
const isHere = (name: Need, toolsDir: string): boolean => {
  if (name !== 'apt') return findProgram(name, toolsDir) !== undefined;
  return isInPath('apt-get') && isInPath('dpkg') && process.env.RUNM_TEST_APT !== 'unreachable';
};

/**
 * Every test is skipped and hooks do nothing. With RUNM_REQUIRE=all one test says so by failing.
 */
const notRunning = (missing: string): TestFn => {
  if (process.env.RUNM_REQUIRE === 'all') {
    ava(`this machine has what the file ${missing}`, (t) => {
      t.fail(`RUNM_REQUIRE=all, but the file ${missing}, which could not be had`);
    });
  }
  const nothing = Object.assign(() => {}, { always: () => {}, skip: () => {} });
  const hooks = new Set<string | symbol>(['before', 'after', 'beforeEach', 'afterEach']);
  const kinds = new Set<string | symbol>(['failing', 'only', 'serial']);
  const skipping = (of: TestFn): TestFn =>
    new Proxy(of, {
      apply: (target, _self, args) => Reflect.apply(target.skip, undefined, args),
      get: (target, key) => {
        if (hooks.has(key)) return nothing;
        return kinds.has(key) ? skipping(target) : Reflect.get(target, key);
      },
    });
  return skipping(ava);
};

const recordNotRun = (absent: readonly Need[]): void => {
  const folder = process.env.RUNM_TEST_NOT_RUN_DIR;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const file = fileURLToPath(ava.meta.file);
  const name = file.replaceAll(/[^a-z0-9.]+/gi, '-');
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ file, absent }));
};
