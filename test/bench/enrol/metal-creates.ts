/**
 * Callers who each create a machine on metal, wait until it has its server, and create the next.
 * Beside it as many who only read one that is there.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Client, createClient } from '@connectrpc/connect';
import { MachineType } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { closedLoop } from '../closed-loop.ts';
import { quantile } from '../median.ts';
import { PROJECT, type ServerSite, startServerSite } from './server-site.ts';

const CALLERS = 100;
/** By each caller. */
const CREATES = 10;
const CREATES_QUICK = 1;
/** V8 compiles what is hot first; these are not counted. */
const WARM_UP = 100;
const LATENCY_MS = 50;
const ENROL_MS_EACH = 1_000;
const ECHO_MS = 3_000;

type Machines = Client<typeof MachineService>;

export const metalCreates = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const creates = CALLERS * (options.quick ? CREATES_QUICK : CREATES);
  const count = creates + WARM_UP;
  await using site = await startServerSite({ count, latencyMs: LATENCY_MS }, options);
  await site.importServers(0, count);
  await site.untilAvailable(count, 120_000 + count * ENROL_MS_EACH);
  const machines = createClient(MachineService, site.transport);
  using placed = watchPlaces(machines);
  await load({ machines, placed, name: 'w' }, WARM_UP);
  const { seconds, accepted, ready } = await measured(site, options, () =>
    load({ machines, placed, name: 'm' }, creates),
  );
  const name = `${PROJECT}/machines/m0`;
  const echo = await closedLoop({
    ...{ concurrency: CALLERS, durationMs: options.quick ? ECHO_MS / 3 : ECHO_MS },
    call: async () => void (await machines.getMachine({ name })),
  });
  const ms = (values: readonly number[], share: number) => Math.round(quantile(values, share));
  options.note(
    `${creates} creates: answered p50 ${ms(accepted, 0.5)} ms, p99 ${ms(accepted, 0.99)} ms; ` +
      `with a server p50 ${ms(ready, 0.5)} ms, p99 ${ms(ready, 0.99)} ms`,
  );
  const limitCommand = 'npm run bench -- enrol --only metal-creates';
  const limit = { limit: echo.callsPerSecond, limitCommand };
  return [
    { figure: 'metal_creates', value: creates / seconds, unit: '/s', samples: 1, ...limit },
    {
      ...{ figure: 'metal_create_p99', value: quantile(ready, 0.99), unit: 'ms' },
      samples: ready.length,
    },
  ];
};

const measured = async (
  { site, cpuUs }: ServerSite,
  { cpuProfileDir, note }: BenchOptions,
  work: () => Promise<Loaded>,
): Promise<Loaded> => {
  if (cpuProfileDir !== undefined) await site.ask('beginProfile');
  const before = await cpuUs();
  const loaded = await work();
  const after = await cpuUs();
  if (cpuProfileDir !== undefined) {
    const file = join(cpuProfileDir, 'metal-creates.cpuprofile');
    await site.ask('endProfile', { file }, 120_000);
    note(`profile: ${file}`);
  }
  const [plane, agent] = after.map((us, at) =>
    ((us - (before[at] ?? 0)) / 1000 / loaded.ready.length).toFixed(1),
  );
  note(`ms of CPU for each meanwhile: control plane ${plane}, agent ${agent}`);
  return loaded;
};

type Placed = Disposable & {
  /** Resolves when the machine with that uid has a server; rejects where it cannot get one. */
  readonly of: (uid: string) => Promise<void>;
};

const watchPlaces = (machines: Machines): Placed => {
  const ended = new AbortController();
  const known = new Map<string, PromiseWithResolvers<void>>();
  const entry = (uid: string): PromiseWithResolvers<void> => {
    const one = known.get(uid) ?? Promise.withResolvers<void>();
    one.promise.catch(() => undefined);
    known.set(uid, one);
    return one;
  };
  const follow = async (): Promise<void> => {
    const { signal } = ended;
    for await (const { events } of machines.watchMachines({ parent: PROJECT }, { signal })) {
      for (const { event } of events) {
        if (event.case !== 'created' && event.case !== 'updated') continue;
        const { uid, status } = event.value;
        if ((status?.providerUid ?? '') !== '') entry(uid).resolve();
        else if (status?.problem !== undefined) {
          entry(uid).reject(new Error(`no server: ${status.problem.message}`));
        }
      }
    }
  };
  follow().catch((error: unknown) => {
    for (const one of known.values()) one.reject(error);
  });
  return { of: (uid) => entry(uid).promise, [Symbol.dispose]: () => ended.abort() };
};

type Loaded = {
  readonly seconds: number;
  /** Milliseconds to the answer, and until it had its server. */
  readonly accepted: readonly number[];
  readonly ready: readonly number[];
};

type Load = { readonly machines: Machines; readonly placed: Placed; readonly name: string };

const load = async ({ machines, placed, name }: Load, creates: number): Promise<Loaded> => {
  const accepted: number[] = [];
  const ready: number[] = [];
  let next = 0;
  const begunMs = performance.now();
  const caller = async (): Promise<void> => {
    while (next < creates) {
      const machineId = `${name}${next}`;
      next += 1;
      const startMs = performance.now();
      const { machine } = await machines.createMachine({
        ...{ parent: PROJECT, machineId, requestId: randomUUID() },
        machine: { spec: { type: MachineType.BARE_METAL } },
      });
      accepted.push(performance.now() - startMs);
      await placed.of(machine?.uid ?? '');
      ready.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { seconds: (performance.now() - begunMs) / 1000, accepted, ready };
};
