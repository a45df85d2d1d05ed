import { timestampDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { type Machine, MachineState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { OperationService } from '../../gen/runmachine/machine/v1/operation_service_pb.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { PARTITION, PROJECT } from './host-provider.ts';
import { StartRefused } from './options.ts';

const NAME = 'hello';
const PARENT = `${PARTITION}/projects/${PROJECT}`;
const FULL_NAME = `${PARENT}/machines/${NAME}`;
const CALL = { timeoutMs: 30_000 };
const LIMIT_MS = 600_000;

/** Whether the first machine exists. */
export const hasDemoMachine = async (transport: Transport): Promise<boolean> => {
  try {
    await createClient(MachineService, transport).getMachine({ name: FULL_NAME }, CALL);
    return true;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return false;
    throw error;
  }
};

/** Waits until the first machine, which is there from an earlier start, runs again. */
export const awaitDemo = async (
  transport: Transport,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> => {
  const client = createClient(MachineService, transport);
  const endMs = clock.monotonicMs() + LIMIT_MS;
  for (;;) {
    const { machine } = await client.getMachine({ name: FULL_NAME }, CALL);
    if (machine?.status?.state === MachineState.ACTIVE) return;
    if (clock.monotonicMs() > endMs || machine?.status?.state === MachineState.STOPPED) {
      throw new StartRefused(
        `the machine "${NAME}" is not active`,
        `look at it: runm machine timeline ${NAME}; or delete it: runm machine delete ${NAME}`,
      );
    }
    await clock.sleep(200, signal);
  }
};

/**
 * Creates the first machine and tells its stages with their seconds. Answers false when it was
 * there already.
 */
export const runDemo = async (
  transport: Transport,
  options: {
    readonly image: string;
    readonly clock: Clock;
    readonly log: (line: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<boolean> => {
  const client = createClient(MachineService, transport);
  const begun = options.clock.now();
  const operation = await client
    .createMachine(
      {
        parent: PARENT,
        machineId: NAME,
        machine: {
          spec: {
            cpus: 1,
            memoryBytes: 256n * 1024n * 1024n,
            boot: { source: { case: 'image', value: options.image } },
          },
        },
        requestId: systemRandom.requestId(),
      },
      CALL,
    )
    .then((answer) => answer.operation)
    .catch((error: unknown) => {
      if (error instanceof ConnectError && error.code === Code.AlreadyExists) return undefined;
      throw error;
    });
  if (!operation) return false;
  options.log(`first machine: creating "${NAME}" from ${options.image}`);
  await follow(transport, operation.name, { ...options, begun });
  return true;
};

type Following = {
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  readonly begun: Date;
};

const follow = async (transport: Transport, name: string, following: Following): Promise<void> => {
  const operations = createClient(OperationService, transport);
  const machines = createClient(MachineService, transport);
  const told = new Set<string>();
  const endMs = following.clock.monotonicMs() + LIMIT_MS;
  for (;;) {
    const waiting = { name, timeout: { seconds: 0n, nanos: 300_000_000 } };
    const options = { ...CALL, signal: following.signal };
    const { operation } = await operations.waitOperation(waiting, options);
    const { machine } = await machines.getMachine({ name: FULL_NAME }, CALL);
    if (machine) tellStages(machine, told, following);
    if (operation?.done) {
      if (operation.result.case !== 'error') return;
      throw new StartRefused(
        `the first machine did not start: ${operation.result.value.message}`,
        `look at it: runm machine timeline ${NAME}; runm machine console ${NAME} --log`,
      );
    }
    if (following.clock.monotonicMs() > endMs) {
      throw new StartRefused(
        'the first machine did not start within ten minutes',
        `look at it: runm machine timeline ${NAME}`,
      );
    }
  }
};

const tellStages = (machine: Machine, told: Set<string>, { begun, log }: Following): void => {
  const boot = machine.status?.boot;
  const stages: [string, Date | undefined][] = [
    ['claimed', machine.status?.claim ? begun : undefined],
    ['powered on', boot?.startTime && timestampDate(boot.startTime)],
    ['kernel', boot?.kernelTime && timestampDate(boot.kernelTime)],
    ['phoned home', boot?.phoneHomeTime && timestampDate(boot.phoneHomeTime)],
  ];
  for (const [stage, at] of stages) {
    if (!at || told.has(stage)) continue;
    told.add(stage);
    const seconds = ((at.getTime() - begun.getTime()) / 1000).toFixed(1);
    log(stage === 'claimed' ? `  ${stage}` : `  ${stage.padEnd(12)} after ${seconds} s`);
  }
};
