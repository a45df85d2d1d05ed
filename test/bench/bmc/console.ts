/**
 * From a keystroke to its echo: through the control plane and an agent to a server's serial line,
 * and in turn with it, at another server of the same make, by the IPMI driver alone.
 */
import { randomUUID } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import {
  type AttachConsoleRequest,
  AttachConsoleRequestSchema,
  ConsoleOpenSchema,
  ConsoleService,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { MachineState, MachineType } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { createIpmiDriver } from '../../../services/agent/drivers/ipmi/driver.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import type { BenchOptions, Measured } from '../bench.ts';
import { PARTITION, PROJECT, type ServerSite, startServerSite } from '../enrol/server-site.ts';
import { median, quantile } from '../median.ts';

const KEYS = 1_000;
const KEYS_QUICK = 100;
/** As a controller takes that is not far away. */
const LATENCY_MS = 10;
const READY_MS = 120_000;
const ECHO_MS = 30_000;
const MACHINE = `${PROJECT}/machines/bench-1`;
/** Of the two servers the second belongs to the driver. */
const [OURS, ALONE] = [0, 1];

/** A serial line at which somebody sits. */
type Line = AsyncDisposable & {
  readonly type: (text: string) => Promise<void>;
  /** Resolves when this was printed since the last keystroke. */
  readonly shows: (text: string) => Promise<void>;
};

export const consoleEcho = async (options: BenchOptions): Promise<readonly Measured[]> => {
  await using site = await startServerSite(
    { count: 2, latencyMs: LATENCY_MS, isIpmi: true },
    options,
  );
  await site.importServers(OURS, ALONE);
  await site.untilAvailable(1, READY_MS);
  await createActive(site);
  await site.fleet.ask('powerOn', { index: ALONE });
  await using ours = await lineOfMachine(site);
  await using alone = await lineOfDriver(site);
  for (const line of [ours, alone]) {
    await line.type('\r');
    await line.shows('login: ');
  }
  const [through, direct]: [number[], number[]] = [[], []];
  const keys = options.quick ? KEYS_QUICK : KEYS;
  for (let key = 0; key < keys; key += 1) {
    options.signal.throwIfAborted();
    direct.push(await echo(alone, key));
    through.push(await echo(ours, key));
  }
  const ms = (values: readonly number[]): string =>
    [median(values), quantile(values, 0.95), quantile(values, 0.99)]
      .map((value) => value.toFixed(1))
      .join(', ');
  options.note(`ms to the echo, p50, p95, p99: ${ms(through)}; the driver alone: ${ms(direct)}`);
  const limitCommand = 'npm run bench -- bmc --only console';
  const figure = (name: string, share: number): Measured => ({
    ...{ figure: name, value: quantile(through, share), unit: 'ms', samples: keys },
    ...{ limit: quantile(direct, share), limitCommand },
  });
  return [figure('console_echo_p50', 0.5), figure('console_echo_p99', 0.99)];
};

const KEYBOARD = 'abcdefghijklmnopqrstuvwxyz';

const echo = async ({ type, shows }: Line, key: number): Promise<number> => {
  const text = KEYBOARD[key % KEYBOARD.length] ?? 'a';
  const startMs = performance.now();
  await type(text);
  await shows(text);
  return performance.now() - startMs;
};

const createActive = async ({ transport }: ServerSite): Promise<void> => {
  const machines = createClient(MachineService, transport);
  await machines.createMachine({
    ...{ parent: PROJECT, machineId: 'bench-1', requestId: randomUUID() },
    machine: {
      spec: { type: MachineType.BARE_METAL, provider: `${PARTITION}/providers/s${OURS}` },
    },
  });
  const endMs = clock.monotonicMs() + READY_MS;
  for (;;) {
    const { machine } = await machines.getMachine({ name: MACHINE });
    if (machine?.status?.state === MachineState.ACTIVE) return;
    const { problem } = machine?.status ?? {};
    if (problem !== undefined || clock.monotonicMs() > endMs) {
      throw new Error(`the machine is not active: ${problem?.message ?? 'too late'}`);
    }
    await clock.sleep(200);
  }
};

/** What was printed, and who waits for it. */
const createEar = () => {
  let heard = '';
  let wake = Promise.withResolvers<void>();
  return {
    forget: () => {
      heard = '';
    },
    hear: (bytes: Uint8Array) => {
      heard += Buffer.from(bytes).toString('latin1');
      wake.resolve();
      wake = Promise.withResolvers<void>();
    },
    fail: (error: unknown) => {
      wake.promise.catch(() => undefined);
      wake.reject(error);
    },
    shows: async (text: string) => {
      const limit = AbortSignal.timeout(ECHO_MS);
      while (!heard.includes(text)) {
        const { promise: late, reject } = Promise.withResolvers<never>();
        const onAbort = () => reject(new Error(`no "${text}" in: ${heard.slice(-200)}`));
        limit.addEventListener('abort', onAbort, { once: true });
        await Promise.race([wake.promise, late]).finally(() =>
          limit.removeEventListener('abort', onAbort),
        );
      }
    },
  };
};

const lineOfMachine = async ({ transport }: ServerSite): Promise<Line> => {
  const ear = createEar();
  const ended = new AbortController();
  const typed: Uint8Array[] = [];
  let bell = Promise.withResolvers<void>();
  const requests = async function* (): AsyncGenerator<AttachConsoleRequest> {
    const open = create(ConsoleOpenSchema, { name: MACHINE });
    yield create(AttachConsoleRequestSchema, { content: { case: 'open', value: open } });
    while (!ended.signal.aborted) {
      const value = typed.shift();
      if (value === undefined) await bell.promise;
      else yield create(AttachConsoleRequestSchema, { content: { case: 'data', value } });
    }
  };
  const client = createClient(ConsoleService, transport);
  const opened = Promise.withResolvers<void>();
  const listen = async (): Promise<void> => {
    for await (const { content } of client.attachConsole(requests(), { signal: ended.signal })) {
      if (content.case === 'opened') opened.resolve();
      else if (content.case === 'data') ear.hear(content.value);
      else throw new Error(`the console ended: ${content.value}`);
    }
  };
  listen().catch((error: unknown) => {
    opened.reject(error);
    ear.fail(error);
  });
  await opened.promise;
  return {
    shows: ear.shows,
    type: async (text) => {
      ear.forget();
      typed.push(Buffer.from(text));
      bell.resolve();
      bell = Promise.withResolvers<void>();
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      bell.resolve();
    },
  };
};

const lineOfDriver = async ({ begun, credentials }: ServerSite): Promise<Line> => {
  const inTime = (): AbortSignal => AbortSignal.timeout(ECHO_MS);
  const driver = createIpmiDriver({ clock, random });
  const address = begun.ipmi[ALONE] ?? '';
  const at = { address, provider: 'alone', certificateSha256: '' };
  const bmc = await driver.open(at, credentials, inTime());
  const { console: offer } = bmc.offers;
  if (offer.kind !== 'offered') throw new Error(offer.why);
  const stream = await offer.aspect.open(inTime());
  const ear = createEar();
  const listen = async (): Promise<void> => {
    for await (const bytes of stream.output) ear.hear(bytes);
  };
  listen().catch(ear.fail);
  return {
    shows: ear.shows,
    type: (text) => {
      ear.forget();
      return stream.write(Buffer.from(text));
    },
    [Symbol.asyncDispose]: async () => {
      await stream.close();
      await bmc.close(inTime());
    },
  };
};
