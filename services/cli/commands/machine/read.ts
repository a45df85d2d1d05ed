import { createClient } from '@connectrpc/connect';
import type { Machine } from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { getCommand } from '../../crud.ts';
import { NARROW_OPTIONS, narrowed } from '../../narrow.ts';
import { showSome } from '../../output.ts';
import { allPages } from '../../pages.ts';
import { partitionParent, projectParent } from '../../resource-names.ts';
import { machineNoun } from './noun.ts';

export const get = getCommand(machineNoun, async (context, name) => {
  const client = createClient(MachineService, context.transport());
  return (await client.getMachine({ name }, callOptions(context))).machine;
});

/** Of several projects a name alone is not enough. */
const ofAllProjects = {
  ...machineNoun,
  columns: [
    { title: 'PROJECT', value: ({ name }: Machine) => name.split('/')[3] ?? '' },
    ...machineNoun.columns,
  ],
};

export const list: Command = {
  summary: 'list machines',
  options: {
    'all-projects': { type: 'boolean', help: 'of all projects that you may see' },
    ...NARROW_OPTIONS,
  },
  examples: [
    'runm machine list --filter on=metal',
    'runm machine list --all-projects --sort state',
  ],
  run: async (context, args) => {
    const client = createClient(MachineService, context.transport());
    const isWide = args.flag('all-projects');
    const parent = isWide
      ? `${partitionParent(context.settings)}/projects/-`
      : projectParent(context.settings);
    const rows = await allPages(async (pageToken) => {
      const request = { parent, pageSize: 1000, pageToken };
      const answer = await client.listMachines(request, callOptions(context));
      return { rows: answer.machines, nextPageToken: answer.nextPageToken };
    });
    const noun = isWide ? ofAllProjects : machineNoun;
    await showSome(context.output, noun, {
      rows: narrowed(rows, noun.columns, args),
      count: rows.length,
      where: isWide ? '' : ` in project ${context.settings.project}`,
    });
    return undefined;
  },
};
