import { createClient } from '@connectrpc/connect';
import { EventService } from '../../../../gen/runmachine/machine/v1/event_service_pb.ts';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { showList } from '../../output.ts';
import { allPages } from '../../pages.ts';
import { projectParent } from '../../resource-names.ts';
import { shownEvent } from '../event-line.ts';
import { machineNoun } from './noun.ts';

export const timeline: Command = {
  summary: 'show what happened to a machine, oldest first',
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  run: async (context, args) => {
    const transport = context.transport();
    const name = machineNoun.fullName(context, args.positional('name'));
    const found = await createClient(MachineService, transport).getMachine(
      { name },
      callOptions(context),
    );
    const events = await allPages(async (pageToken) => {
      const answer = await createClient(EventService, transport).listEvents(
        {
          parent: projectParent(context.settings),
          targetUid: found.machine?.uid ?? '',
          pageSize: 1000,
          pageToken,
        },
        callOptions(context),
      );
      return { rows: answer.events, nextPageToken: answer.nextPageToken };
    });
    await showList(context.output, shownEvent, events);
    return undefined;
  },
};
