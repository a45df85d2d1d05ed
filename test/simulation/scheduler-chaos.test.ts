/**
 * Three schedulers, claimers and an operator under chance: messages and answers get lost, late,
 * doubled and out of order, leaders stand still, wake beside the next one or are killed, clocks are
 * wrong. A seed decides everything; RUNM_TEST_SEED, or `node test/simulation/run.ts --seed=N`,
 * repeats one.
 */
import test from 'ava';
import { describeViolation } from '../support/claim-checker/check.ts';
import { simulate } from './claims/simulate.ts';

const SEEDS = process.env.RUNM_TEST_SEED
  ? [Number(process.env.RUNM_TEST_SEED)]
  : Array.from({ length: 30 }, (_, at) => at + 1);

const met = new Map<string, number>();
const meet = (what: string, times: number): void => {
  met.set(what, (met.get(what) ?? 0) + times);
};

/** What the runs together must have met, or they would prove little. */
const WANTED = [
  ...['create granted', 'create refused NO_CAPACITY', 'create refused QUOTA_EXCEEDED'],
  ...['set-capacity granted', 'set-capacity refused IN_USE', 'move-end granted'],
  ...['begin-release granted', 'finish-release granted'],
  ...['takeovers', 'killed', 'wokenBesideNext'],
];

// One after the other: they would only take turns, and a failing one is easier to read.
for (const seed of SEEDS) {
  test.serial(
    `nothing is lost, doubled or given twice under chance with seed ${seed}`,
    async (t) => {
      t.log(`seed ${seed}`);
      const { violations, hasEnded, calls, stored, elections, faults } = await simulate({ seed });
      t.deepEqual(violations.map(describeViolation), []);
      t.true(hasEnded, 'everybody came to know what became of every request');
      t.true(stored.claims.length > 0, 'claims were made');
      for (const { request, outcome } of calls) {
        const reason = outcome.kind === 'refused' ? ` ${outcome.reason}` : '';
        meet(`${request.verb} ${outcome.kind}${reason}`, 1);
      }
      meet('takeovers', elections - 1);
      for (const [what, times] of Object.entries(faults)) meet(what, times);
    },
  );
}

test.serial('the same seed gives the same history', async (t) => {
  const [first, second] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })];
  t.deepEqual(first.calls, second.calls);
  t.deepEqual(first.stored, second.stored);
});

test.after('the runs met what they are for', (t) => {
  if (SEEDS.length === 1) return t.pass();
  for (const what of WANTED) t.true((met.get(what) ?? 0) > SEEDS.length / 4, what);
});
