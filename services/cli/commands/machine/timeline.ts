import { createClient } from '@connectrpc/connect';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { projectParent } from '../../resource-names.ts';
import { showTimeline } from '../object-timeline.ts';
import { machineNoun } from './noun.ts';

export const timeline: Command = {
  summary: 'show what happened to a machine, oldest first',
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  run: async (context, args) => {
    const client = createClient(MachineService, context.transport());
    const name = machineNoun.fullName(context, args.positional('name'));
    const { machine } = await client.getMachine({ name }, callOptions(context));
    const parent = projectParent(context.settings);
    await showTimeline(context, { parent, targetUid: machine?.uid ?? '' });
    return undefined;
  },
};
