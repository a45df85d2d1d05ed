import { createClient } from '@connectrpc/connect';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import { getCommand, listCommand } from '../../crud.ts';
import { projectParent } from '../../resource-names.ts';
import { machineNoun } from './noun.ts';

export const get = getCommand(machineNoun, async (context, name) => {
  const client = createClient(MachineService, context.transport());
  return (await client.getMachine({ name }, callOptions(context))).machine;
});

export const list = listCommand(machineNoun, async (context, page) => {
  const client = createClient(MachineService, context.transport());
  const parent = projectParent(context.settings);
  const answer = await client.listMachines({ parent, ...page }, callOptions(context));
  return { rows: answer.machines, nextPageToken: answer.nextPageToken };
});
