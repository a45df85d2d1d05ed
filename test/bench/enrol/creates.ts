/**
 * Many tenants want a server at once: a hundred creates are under way at any moment, and each is
 * done when the machine has its server. What the server does then (it boots) goes on beside it, as
 * it does on a working day.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { MachineType } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { PROJECT, startServerSite } from './server-site.ts';

const SERVERS = 1_000;
const SERVERS_QUICK = 150;
const WARM_UP = 100;
const UNDER_WAY = 100;
const LATENCY_MS = 50;
const LIMIT_MS_EACH = 1_000;
const LIMIT_MS = 60_000;

export const createOnMetal = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const count = options.quick ? SERVERS_QUICK : SERVERS;
  const all = count + WARM_UP;
  await using site = await startServerSite({ count: all, latencyMs: LATENCY_MS }, options);
  await site.importServers(0, all);
  await site.untilAvailable(all, LIMIT_MS + all * LIMIT_MS_EACH);
  const machines = createClient(MachineService, site.transport);
  const stop = new AbortController();
  const placed = new Map<string, PromiseWithResolvers<void>>();
  const placing = (name: string): PromiseWithResolvers<void> => {
    const found = placed.get(name) ?? Promise.withResolvers<void>();
    placed.set(name, found);
    return found;
  };
  const watching = (async () => {
    const watch = { signal: stop.signal, timeoutMs: LIMIT_MS * 10 };
    for await (const { events } of machines.watchMachines({ parent: PROJECT }, watch)) {
      for (const { event } of events) {
        if (event.case !== 'created' && event.case !== 'updated') continue;
        if (event.value.status?.provider) placing(event.value.name).resolve();
      }
    }
  })().catch(() => undefined);
  const createOne = async (number: number): Promise<number> => {
    const machineId = `m${number}`;
    const beginMs = systemClock.monotonicMs();
    const { machine } = await machines.createMachine({
      parent: PROJECT,
      machineId,
      machine: { spec: { type: MachineType.BARE_METAL } },
      requestId: randomUUID(),
    });
    await placing(machine?.name ?? '').promise;
    return systemClock.monotonicMs() - beginMs;
  };
  const createMany = async (from: number, to: number): Promise<readonly number[]> => {
    const tookMs: number[] = [];
    let next = from;
    const worker = async (): Promise<void> => {
      while (next < to) {
        const number = next;
        next += 1;
        tookMs.push(await createOne(number));
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, worker));
    return tookMs;
  };
  // V8 compiles what is hot first; these are not counted.
  await createMany(0, WARM_UP);
  if (options.cpuProfileDir !== undefined) await site.site.ask('beginProfile');
  const before = await site.cpuUs();
  const beginMs = systemClock.monotonicMs();
  const tookMs = (await createMany(WARM_UP, all)).toSorted((a, b) => a - b);
  const seconds = (systemClock.monotonicMs() - beginMs) / 1_000;
  const after = await site.cpuUs();
  if (options.cpuProfileDir !== undefined) {
    const file = join(options.cpuProfileDir, 'creates.cpuprofile');
    await site.site.ask('endProfile', { file }, 120_000);
    options.note(`profile: ${file}`);
  }
  stop.abort();
  await watching;
  const p99 = tookMs[Math.ceil(tookMs.length * 0.99) - 1] ?? 0;
  const [plane, agent] = after.map((us, at) => Math.round((us - (before[at] ?? 0)) / count));
  options.note(
    `${count} machines had their servers in ${seconds.toFixed(1)} s; ` +
      `µs of CPU for each: control plane ${plane}, agent ${agent}`,
  );
  return [
    { figure: 'metal_creates', value: count / seconds, unit: '/s', samples: 1 },
    { figure: 'metal_create_p99', value: p99, unit: 'ms', samples: tookMs.length },
  ];
};
