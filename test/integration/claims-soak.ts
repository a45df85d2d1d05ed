/**
 * `npm run soak:processes -- --minutes=10 [--seed=N]`: 64 clients against three scheduler processes
 * and an etcd, in rounds of faults, each judged by the checker. Exit 0 when nothing was wrong.
 */
import { parseArgs } from 'node:util';
import { findProgram } from '../../deploy/tools/program.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { describeViolation } from '../support/claim-checker/check.ts';
import { type Fault, runUnderFaults } from '../support/claims-under-faults.ts';
import { startSchedulerProcesses } from '../support/scheduler-processes.ts';
import { testToolsDir } from '../tools-dir.ts';

const FAULTS: readonly Fault[] = [
  ...(['kill-leader', 'freeze-leader', 'restart-etcd', 'freeze-etcd'] as const),
  ...(['freeze-leader', 'kill-leader', 'kill-leader', 'restart-etcd'] as const),
];

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' } },
  });
  const minutes = Number(values.minutes ?? '10');
  if (!(minutes > 0)) throw new RangeError(`--minutes is a number, not "${values.minutes}"`);
  const program = findProgram('etcd', testToolsDir());
  if (program === undefined) {
    throw new RangeError('etcd is missing; run: node test/run.ts --prepare etcd');
  }
  const endMs = systemClock.monotonicMs() + minutes * 60_000;
  let failed = 0;
  for (let round = 1; systemClock.monotonicMs() < endMs; round += 1) {
    const seed = Number(values.seed ?? Math.floor(systemRandom.fraction() * 2 ** 31));
    console.log(`round ${round}, seed ${seed}`);
    await using site = await startSchedulerProcesses(program, 3);
    const { violations, calls, stored } = await runUnderFaults(site, {
      seed,
      clients: 64,
      faults: FAULTS,
      pauseMs: 3_000,
      say: (line) => console.log(`  ${line}`),
    });
    const unknown = calls.filter(({ outcome }) => outcome.kind === 'unknown').length;
    console.log(`  ${calls.length} requests, ${stored.claims.length} claims, ${unknown} unknown`);
    for (const violation of violations) console.log(`  ${describeViolation(violation)}`);
    if (violations.length > 0) failed += 1;
  }
  console.log(`${failed} rounds failed`);
  return failed === 0 ? 0 : 1;
};

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof RangeError ? error.message : error);
  return 2;
});
