import type { Child } from '../child.ts';
import type { Scheduler, Site } from './site.ts';

export type Metered = {
  readonly site: Pick<Site, 'storeCpuUs'>;
  readonly scheduler: Scheduler;
  readonly callers: readonly Child[];
};

/** What has been spent since, on average for one of so many; for people. */
export type CpuMeter = (count: number) => Promise<string>;

/** Begins to count the CPU time of all who take part. */
export const meterCpu = async ({ site, scheduler, callers }: Metered): Promise<CpuMeter> => {
  const look = async () => ({
    scheduler: await cpuUsOf([scheduler.child]),
    'of it the main thread': await scheduler.child.ask<number>('threadCpuUs'),
    etcd: site.storeCpuUs(),
    callers: await cpuUsOf(callers),
  });
  const before = await look();
  return async (count) => {
    const after = await look();
    const parts = (['scheduler', 'of it the main thread', 'etcd', 'callers'] as const).map(
      (of) => `${of} ${Math.round((after[of] - before[of]) / count)}`,
    );
    return `µs of CPU for each: ${parts.join(', ')}`;
  };
};

const cpuUsOf = async (children: readonly Child[]): Promise<number> => {
  const each = await Promise.all(children.map((child) => child.ask<number>('cpuUs')));
  return each.reduce((sum, us) => sum + us, 0);
};
