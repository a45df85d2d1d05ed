/** What is only of machines on metal, and the operator's way out of any. */
import { createClient } from '@connectrpc/connect';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
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
    context.output.remark(`next: runm machine reset ${id}`);
    return undefined;
  },
};

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
    const { machine } = await client.forceFailMachine(request, callOptions(context));
    if (machine === undefined) return undefined;
    const id = lastSegment(machine.name);
    const people = () => `${id} is ${stateWord(machine)}`;
    await showOne(context.output, machineNoun, { message: machine, people });
    context.output.remark(`next: runm machine start ${id}, or runm machine delete ${id}`);
    return undefined;
  },
};
