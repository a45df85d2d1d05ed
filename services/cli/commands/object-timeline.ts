import { createClient } from '@connectrpc/connect';
import { EventService } from '../../../gen/runmachine/machine/v1/event_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Context } from '../command.ts';
import { showList } from '../output.ts';
import { allPages } from '../pages.ts';
import { shownEvent } from './event-line.ts';

type Asked = {
  /** "partitions/{partition}/projects/{project}"; "-" as the project where it is in none. */
  readonly parent: string;
  readonly targetUid: string;
};

/** All that happened to one object, oldest first. */
export const showTimeline = async (context: Context, asked: Asked): Promise<void> => {
  const client = createClient(EventService, context.transport());
  const events = await allPages(async (pageToken) => {
    const request = { ...asked, pageSize: 1000, pageToken };
    const answer = await client.listEvents(request, callOptions(context));
    return { rows: answer.events, nextPageToken: answer.nextPageToken };
  });
  await showList(context.output, shownEvent, events);
};
