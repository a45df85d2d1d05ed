/** What is only of machines on metal, and the operator's way out of any. */
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { AdvisedError } from '../../advised-error.ts';
import { DEVICE, DEVICE_OPTIONS, deviceText, parseDevice } from '../../boot-device.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { showOne } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { machineNoun, stateWord } from './noun.ts';

const MACHINE = [{ name: 'name', help: 'name or uid of the machine' }];

export const bootDevice: Command = {
  summary: 'set from what a machine on metal boots when it is started or reset',
  positionals: [...MACHINE, DEVICE],
  options: DEVICE_OPTIONS,
  examples: ['runm machine bootdev bench-1 network'],
  run: async (context, args) => {
    const client = createClient(MachineService, context.transport());
    const name = machineNoun.fullName(context, args.positional('name'));
    const device = parseDevice(args.positional('device'), args);
    const request = { name, bootDevice: device, requestId: context.random.requestId() };
    const { machine } = await client.setMachineBootDevice(request, callOptions(context));
    if (machine === undefined) return undefined;
    const id = lastSegment(machine.name);
    const people = () => `${id} boots from: ${deviceText(machine.status?.bootDevice)}`;
    await showOne(context.output, machineNoun, { message: machine, people });
    if (context.output.mode === 'table') {
      context.output.remark(`next: runm machine reset ${id}`);
    }
    return undefined;
  },
};

const isDenied = (error: unknown): error is ConnectError =>
  error instanceof ConnectError && error.code === Code.PermissionDenied;

/** Ending work at a server by force leaves it to an operator to see how it stands. */
const tenantsWay = (id: string) => ({
  next: [
    `runm machine delete ${id}: it ends what runs, and gives back what it holds`,
    `or ask an operator of the partition for: runm machine force-fail ${id} --reason "why"`,
  ],
  suggestions: [],
});

export const forceFail: Command = {
  summary: 'end whatever a machine is in the middle of; it fails and can be started or deleted',
  positionals: MACHINE,
  options: { reason: { type: 'string', value: 'TEXT', help: 'why, for the audit; needed' } },
  run: async (context, args) => {
    const reason = args.string('reason') ?? '';
    if (reason === '') throw new UsageError('--reason is missing', 'say why, for the audit');
    const client = createClient(MachineService, context.transport());
    const name = machineNoun.fullName(context, args.positional('name'));
    const request = { name, reason, requestId: context.random.requestId() };
    const { machine } = await client
      .forceFailMachine(request, callOptions(context))
      .catch((error: unknown) => {
        throw isDenied(error) ? new AdvisedError(error, tenantsWay(lastSegment(name))) : error;
      });
    if (machine === undefined) return undefined;
    const id = lastSegment(machine.name);
    const people = () => `${id} is ${stateWord(machine)}`;
    await showOne(context.output, machineNoun, { message: machine, people });
    context.output.remark(`next: runm machine start ${id}, or runm machine delete ${id}`);
    return undefined;
  },
};
