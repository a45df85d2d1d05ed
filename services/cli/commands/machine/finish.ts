import { createClient } from '@connectrpc/connect';
import type { Operation } from '../../../../gen/runmachine/common/v1/operation_pb.ts';
import {
  type Machine,
  MachineState,
  MachineType,
} from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Context } from '../../command.ts';
import { sayDeleted, showOne } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { StoppedError } from '../../stopped-error.ts';
import { waitOperation } from '../../wait-operation.ts';
import { machineNoun, stateWord } from './noun.ts';

export type Accepted = {
  readonly operation: Operation | undefined;
  readonly machine: Machine | undefined;
  readonly already: string;
  readonly next: (shortName: string) => string;
};

/** Shows what a verb has set going and, with --wait, how it ended. */
export const finish = async (
  context: Context,
  args: Args,
  accepted: Accepted,
): Promise<undefined> => {
  const { operation, machine } = accepted;
  if (!operation) {
    context.output.remark(accepted.already);
    if (machine) await show(context, machine);
    return undefined;
  }
  const name = machine?.name ?? operation.metadata?.target ?? '';
  const short = lastSegment(name);
  if (!args.flag('wait')) {
    if (machine) await show(context, machine);
    context.output.remark(
      `accepted; follow it: runm operation wait ${lastSegment(operation.name)}`,
    );
    return undefined;
  }
  try {
    await waitOperation(context, operation, args);
  } catch (error) {
    if (!(error instanceof StoppedError)) await tellWhatStays(context, name);
    throw error;
  }
  if (operation.metadata?.verb === 'delete') {
    await sayDeleted(context.output, name, `${short} is deleted`);
    const { type, provider = '' } = machine?.status ?? {};
    if (type === MachineType.BARE_METAL && provider !== '' && context.output.mode === 'table') {
      context.output.remark(`${lastSegment(provider)} is cleaned now, before anybody else gets it`);
    }
    return undefined;
  }
  const client = createClient(MachineService, context.transport());
  const now = (await client.getMachine({ name }, callOptions(context))).machine;
  if (!now) return undefined;
  if (context.output.mode === 'table') context.output.result(`${short} is ${stateWord(now)}`);
  else await show(context, now);
  const next = accepted.next(short);
  if (next && context.output.mode === 'table') context.output.remark(`next: ${next}`);
  return undefined;
};

const FAILED: ReadonlySet<MachineState | undefined> = new Set([
  MachineState.PREPARE_FAILED,
  MachineState.BOOT_FAILED,
  MachineState.RELEASE_FAILED,
]);

/** A machine that failed is there until it is deleted, and so are its name and what it holds. */
const tellWhatStays = async (context: Context, name: string): Promise<void> => {
  if (context.output.mode !== 'table') return;
  const client = createClient(MachineService, context.transport());
  const answer = await client.getMachine({ name }, callOptions(context)).catch(() => undefined);
  if (answer?.machine === undefined || !FAILED.has(answer.machine.status?.state)) return;
  const short = lastSegment(name);
  context.output.remark(
    `${short} is ${stateWord(answer.machine)} and stays: runm machine timeline ${short} says ` +
      `more, runm machine delete ${short} gives back what it holds`,
  );
};

const show = async (context: Context, machine: Machine): Promise<void> => {
  const people = () => `${lastSegment(machine.name)} is ${stateWord(machine)}`;
  await showOne(context.output, machineNoun, { message: machine, people });
};
