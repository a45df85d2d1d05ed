/**
 * `node test/simulation/run.ts --seed=N` repeats a run of claims under chance, `--soak=MINUTES`
 * tries new seeds for that long. `--without=fence|head|nonce` leaves a safeguard of the commit
 * protocol out, to see how the checker finds it. Exit 0 when nothing was wrong.
 */
import { parseArgs } from 'node:util';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { describeViolation } from '../support/claim-checker/check.ts';
import type { Safeguard } from './claims/sabotage.ts';
import { type Simulated, simulate } from './claims/simulate.ts';

const SAFEGUARDS: readonly Safeguard[] = ['fence', 'head', 'nonce'];

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      soak: { type: 'string' },
      without: { type: 'string' },
    },
  });
  const broken = SAFEGUARDS.find((name) => name === values.without);
  if (values.without !== undefined && broken === undefined) {
    throw new RangeError(`--without is one of ${SAFEGUARDS.join(', ')}`);
  }
  if (values.seed !== undefined)
    return (await one(numberOf('--seed', values.seed), broken)) ? 0 : 1;
  const endMs = systemClock.monotonicMs() + numberOf('--soak', values.soak ?? '10') * 60_000;
  let failed = 0;
  while (systemClock.monotonicMs() < endMs) {
    const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
    if (!(await one(seed, broken))) failed += 1;
  }
  console.log(`${failed} seeds failed`);
  return failed === 0 ? 0 : 1;
};

const numberOf = (option: string, text: string): number => {
  const number = Number(text);
  if (text !== '' && number >= 0) return number;
  throw new RangeError(`${option} is a number, not "${text}"`);
};

/** True when nothing was wrong. */
const one = async (seed: number, broken: Safeguard | undefined): Promise<boolean> => {
  // First, so that it is known even if the run kills the process.
  process.stdout.write(`seed ${seed}: `);
  const simulated = await simulate({ seed, broken });
  console.log(summaryOf(simulated));
  for (const violation of simulated.violations) console.log(`  ${describeViolation(violation)}`);
  if (!simulated.hasEnded) console.log('  somebody never came to know what became of a request');
  return simulated.hasEnded && simulated.violations.length === 0;
};

const summaryOf = ({ calls, stored, elections, faults }: Simulated): string => {
  const { frozen, killed, wokenBesideNext } = faults;
  return [
    `${calls.length} requests`,
    `${stored.claims.length} claims`,
    `${stored.head?.number ?? 0} commits`,
    `${elections} elections`,
    `${frozen} freezes (${wokenBesideNext} woken beside the next leader)`,
    `${killed} killed`,
  ].join(', ');
};

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof RangeError ? error.message : error);
  return 2;
});
