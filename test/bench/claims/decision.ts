import { systemClock } from '../../../services/runtime/clock.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { startChild } from '../child.ts';
import { quantile } from '../median.ts';
import { fleetOf, sizeUpTo } from './load.ts';

const SIZE = 100_000;
const BUILD_LIMIT_MS = 300_000;

/** A request with many constraints, of which one provider in a hundred meets all, in process. */
export const decision = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using child = startChild('subjects/decisions.ts');
  const nowMs = systemClock.now().getTime();
  const past = { fill: 0.8, machinesPerClaim: 1, bookings: false, nowMs };
  const { buildMs, matches } = await child.ask<{ buildMs: number; matches: number }>(
    'build',
    { fleet, past },
    BUILD_LIMIT_MS,
  );
  const share = ((matches / fleet.size) * 100).toFixed(2);
  options.note(`${fleet.size}: index built in ${Math.round(buildMs)} ms; ${share} % match`);
  const samples = options.quick ? 500 : 5_000;
  await child.ask('decide', { samples, nowMs });
  const took = await child.ask<number[]>('decide', { samples, nowMs });
  const ms = (at: number) => quantile(took, at);
  options.note(`${fleet.size}: p50 ${ms(0.5).toFixed(3)} ms, p99 ${ms(0.99).toFixed(3)} ms`);
  return [{ figure: `decision_p99@${fleet.size}`, value: ms(0.99), unit: 'ms', samples }];
};
