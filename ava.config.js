import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const isGrouped = process.env.RUNM_TEST_GROUPED === '1';
const statsFile = process.env.RUNM_TEST_STATS_FILE;
const titlesByFile = fileURLToPath(new URL('./test/runner/titles-by-file.mjs', import.meta.url));
const compileCache = fileURLToPath(new URL('./test/runner/compile-cache.mjs', import.meta.url));

/** Leaves the counts of the run in a file for test/run.ts, which sets the variable. */
const observeRun = async ({ events }) => {
  let latest;
  process.once('exit', () => {
    if (latest !== undefined) writeFileSync(statsFile, JSON.stringify(latest));
  });
  for await (const event of events) {
    if (event.type === 'stats') latest = { ...event.stats, byFile: undefined };
  }
};

export default {
  files: isGrouped
    ? ['test/grouped/*/*.test.ts']
    : ['test/**/*.test.ts', '!test/bench/**', '!test/grouped/**'],
  extensions: ['ts'],
  // Without any result: a day with guests is long where emulated machines share the processors.
  timeout: '15m',
  failFast: false,
  nodeArguments: [`--require=${compileCache}`, `--require=${titlesByFile}`],
  concurrency: 2,
  ...(statsFile === undefined
    ? {}
    : { nonSemVerExperiments: { observeRunsFromConfig: true }, observeRun }),
};
