import { join } from 'node:path';
import type { BenchOptions } from '../bench.ts';
import type { Scheduler } from './site.ts';

type Profiled = { readonly options: BenchOptions; readonly name: string };

/** Does the work; with --cpu-prof what the scheduler does meanwhile is written as a .cpuprofile. */
export const profiled = async <T>(
  scheduler: Scheduler,
  { options, name }: Profiled,
  work: () => Promise<T>,
): Promise<T> => {
  if (options.cpuProfileDir === undefined) return work();
  const file = join(options.cpuProfileDir, `${name}.cpuprofile`);
  await scheduler.child.ask('beginProfile');
  const done = await work();
  await scheduler.child.ask('endProfile', { file }, 120_000);
  options.note(`profile: ${file}`);
  return done;
};
