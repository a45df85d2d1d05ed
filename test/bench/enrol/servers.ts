/**
 * Servers get from a buyer's list into the pool: imported, their controllers reached, what they are
 * made of read and recorded, open for claims. Once more with ten times as many.
 */
import { join } from 'node:path';
import type { BenchOptions, Measured } from '../bench.ts';
import { type ServerSite, startServerSite } from './server-site.ts';

/** Larger fleets of --sizes are for other benches. */
const SIZE_MAX = 10_000;
const SIZES_QUICK = [100];
const LATENCY_MS = 50;
/** V8 compiles what is hot first; these are not counted. */
const WARM_UP = 100;
const WARM_UP_QUICK = 20;
/** A tenth of the target's rate. */
const LIMIT_MS_EACH = 1_000;

export const enrolServers = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const sizes = options.quick ? SIZES_QUICK : options.sizes.filter((size) => size <= SIZE_MAX);
  const found: Found[] = [];
  for (const size of sizes) found.push(await run(size, options));
  const [first] = found;
  const last = found.at(-1);
  const measured: Measured[] = found.flatMap(({ size, seconds, agentBytes }) => [
    {
      ...{ figure: `servers_enrolled@${size}`, value: (60 * size) / seconds },
      ...{ unit: '/min', samples: 1 },
    },
    { figure: `enrol_agent_rss@${size}`, value: agentBytes, unit: 'B', samples: 1 },
  ]);
  if (first === undefined || last === undefined || first === last) return measured;
  // As if the last were ten times the first.
  const growth = last.seconds / first.seconds / (last.size / first.size / 10);
  return [...measured, { figure: 'enrol_growth', value: growth, unit: '×', samples: 1 }];
};

type Found = { readonly size: number; readonly seconds: number; readonly agentBytes: number };

const run = async (size: number, options: BenchOptions): Promise<Found> => {
  const warmUp = options.quick ? WARM_UP_QUICK : WARM_UP;
  const count = size + warmUp;
  await using site = await startServerSite({ count, latencyMs: LATENCY_MS }, options);
  await site.importServers(size, count);
  await site.untilAvailable(warmUp, 120_000);
  if (options.cpuProfileDir !== undefined) await site.site.ask('beginProfile');
  const before = await weigh(site);
  const startMs = performance.now();
  await site.importServers(0, size);
  const importedMs = performance.now() - startMs;
  await site.untilAvailable(count, 120_000 + size * LIMIT_MS_EACH);
  const seconds = (performance.now() - startMs) / 1000;
  const after = await weigh(site);
  if (options.cpuProfileDir !== undefined) {
    const file = join(options.cpuProfileDir, `enrol-${size}.cpuprofile`);
    await site.site.ask('endProfile', { file }, 120_000);
    options.note(`profile: ${file}`);
  }
  const each = after.map((value, at) => (value - (before[at] ?? 0)) / size);
  const [site_ = 0, agent = 0, fleet = 0, calls = 0] = each;
  const ms = (us: number): string => (us / 1000).toFixed(1);
  options.note(
    `${size} servers in ${seconds.toFixed(1)} s, in inventory after ` +
      `${(importedMs / 1000).toFixed(1)} s; ms of CPU for each: control plane ${ms(site_)}, ` +
      `agent ${ms(agent)}, controllers ${ms(fleet)}; ${calls.toFixed(1)} calls each`,
  );
  return { size, seconds, agentBytes: site.agentPeakBytes() };
};

const weigh = async ({ cpuUs, fleet }: ServerSite): Promise<readonly number[]> => [
  ...(await cpuUs()),
  await fleet.ask<number>('requests'),
];
