import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Client, createClient } from '@connectrpc/connect';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { createPeopleTransport } from '../../services/runtime/client.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { type Bench, type BenchOptions, CannotMeasure } from './bench.ts';
import { median } from './median.ts';
import { startProduct } from './product.ts';

const PARENT = 'partitions/lab/projects/default';
const LINE_LIMIT_MS = 60_000;
const CALL = { timeoutMs: 20_000 };

type Machines = Client<typeof MachineService>;
type Sample = { readonly requestMs: number; readonly byHandMs: number };

/** From the request to the kernel's first line, beside the same qemu started by hand. */
export const vm: Bench = {
  summary: 'CreateMachine to the first line of the kernel, against the same qemu by hand',
  limitMs: 600_000,
  run: async (options) => {
    using dir = temporaryDir();
    await using product = await startProduct(dir.path, options);
    const people = createPeopleTransport({
      endpoint: product.endpoint,
      caPem: readFileSync(join(product.stateDir, 'ca.pem'), 'utf8'),
      token: readFileSync(join(product.stateDir, 'admin.token'), 'utf8').trim(),
    });
    const machines = createClient(MachineService, people.transport);
    const samples: Sample[] = [];
    const wanted = options.quick ? 3 : 9;
    // The first boot reads the image for the first time; it is not counted.
    for (let at = 0; at <= wanted; at += 1) {
      const sample = await measure(machines, `bench-${at}`, options);
      const { requestMs, byHandMs } = sample;
      options.note(`request ${requestMs.toFixed(0)} ms, by hand ${byHandMs.toFixed(0)} ms`);
      if (at > 0) samples.push(sample);
    }
    people.close();
    return [
      {
        figure: 'request_to_first_kernel_line',
        value: median(samples.map((sample) => sample.requestMs)),
        unit: 'ms',
        limit: median(samples.map((sample) => sample.byHandMs)),
        limitCommand: 'npm run bench -- vm',
        samples: wanted,
      },
    ];
  },
};

const measure = async (
  machines: Machines,
  machineId: string,
  { signal }: BenchOptions,
): Promise<Sample> => {
  const name = `${PARENT}/machines/${machineId}`;
  const beganMs = systemClock.now().getTime();
  const spec = {
    cpus: 1,
    memoryBytes: 256n * 1024n * 1024n,
    boot: { source: { case: 'image' as const, value: 'images/lab-linux' } },
  };
  const requestId = systemRandom.requestId();
  const created = await machines.createMachine(
    { parent: PARENT, machineId, machine: { spec }, requestId },
    CALL,
  );
  const kernelMs = await until(signal, async () => {
    const { machine } = await machines.getMachine({ name }, CALL);
    const time = machine?.status?.boot?.kernelTime;
    return time && timestampMs(time);
  });
  const command = commandOf(created.machine?.uid ?? '');
  const now = { seconds: 0n, nanos: 0 };
  await machines.stopMachine({ name, forceAfter: now, requestId: systemRandom.requestId() }, CALL);
  await until(signal, async () => !isRunning(created.machine?.uid ?? ''));
  const byHandMs = await runByHand(command);
  await machines.deleteMachine({ name, requestId: systemRandom.requestId() }, CALL);
  return { requestMs: kernelMs - beganMs, byHandMs };
};

const until = async <T>(signal: AbortSignal, probe: () => Promise<T | undefined>): Promise<T> => {
  const endMs = systemClock.monotonicMs() + LINE_LIMIT_MS;
  while (systemClock.monotonicMs() < endMs) {
    const found = await probe();
    if (found) return found;
    await systemClock.sleep(20, signal);
  }
  throw new CannotMeasure('the machine did not get where it was wanted within a minute');
};

const commandsNow = (): string[][] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
      } catch {
        return [];
      }
    });

const isGuest = (command: readonly string[], uid: string): boolean =>
  command.includes(`guest=${uid}`);
const isRunning = (uid: string): boolean => commandsNow().some((one) => isGuest(one, uid));

const commandOf = (uid: string): readonly string[] => {
  const found = commandsNow().find((command) => isGuest(command, uid));
  if (found) return found;
  throw new CannotMeasure('the guest of the machine is not among the processes');
};

/**
 * What the agent needs to supervise a guest, and a person who only wants to see it boot does not.
 */
const SUPERVISION = new Set(['-pidfile', '-chardev', '-mon', '-serial']);

/** The same qemu with its serial port on standard output; answers the time to the kernel's line. */
const runByHand = (command: readonly string[]): Promise<number> => {
  const [program = '', ...args] = command;
  const kept = args.filter(
    (one, at) => !SUPERVISION.has(one) && !SUPERVISION.has(args[at - 1] ?? ''),
  );
  const began = systemClock.monotonicMs();
  const child = spawn(program, [...kept, '-serial', 'stdio'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Promise((resolve, reject) => {
    let said = '';
    const end = (settle: () => void) => {
      child.kill('SIGKILL');
      child.once('exit', settle);
    };
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString('latin1');
      if (!said.includes('Linux version')) return;
      child.stdout.removeAllListeners('data');
      const spentMs = systemClock.monotonicMs() - began;
      end(() => resolve(spentMs));
    });
    child.once('error', reject);
    child.once('close', () => reject(new CannotMeasure('qemu by hand ended without a kernel')));
  });
};
