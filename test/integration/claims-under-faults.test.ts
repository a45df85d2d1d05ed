/**
 * 64 clients against three scheduler processes and an etcd. The long form is
 * `node test/integration/claims-soak.ts --minutes=10`.
 */
import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { describeViolation } from '../support/claim-checker/check.ts';
import { runUnderFaults } from '../support/claims-under-faults.ts';
import { startSchedulerProcesses } from '../support/scheduler-processes.ts';

const need = needs('etcd');
const test = need.test;

const SEED = Number(process.env.RUNM_TEST_SEED ?? 1);

test('killed and frozen leaders and an etcd that restarts lose, double or overbook nothing', async (t) => {
  t.timeout(180_000);
  t.log(`seed ${SEED}`);
  await slot('database');
  await using site = await startSchedulerProcesses(need.program('etcd'), 3);
  const { violations, calls, stored } = await runUnderFaults(site, {
    seed: SEED,
    clients: 64,
    faults: ['kill-leader', 'restart-etcd', 'freeze-leader'],
    pauseMs: 2_000,
    say: (line) => t.log(line),
  });
  t.deepEqual(violations.map(describeViolation), []);
  const unknown = calls.filter(({ outcome }) => outcome.kind === 'unknown');
  t.deepEqual(unknown, [], 'every client came to know what became of its requests');
  t.true(stored.claims.length > 64, `${stored.claims.length} claims were made`);
  t.log(`${calls.length} requests, ${stored.claims.length} claims`);
});
