import { createClient } from '@connectrpc/connect';
import { EventService } from '../../../gen/runmachine/machine/v1/event_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Args, Command, Context, Option } from '../command.ts';
import { parseSpanSeconds } from '../format/span.ts';
import { showList } from '../output.ts';
import { partitionParent, projectParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { showEvent, shownEvent } from './event-line.ts';

const ALL: Readonly<Record<string, Option>> = {
  all: {
    type: 'boolean',
    help: 'of all projects, providers and agents, as far as you may see them',
  },
};

const parentOf = (context: Context, args: Args): string =>
  args.flag('all')
    ? `${partitionParent(context.settings)}/projects/-`
    : projectParent(context.settings);

export const list: Command = {
  summary: 'list events of the project, the newest last',
  options: {
    ...ALL,
    limit: { type: 'string', value: 'N', help: 'how many of the newest (100)' },
  },
  examples: ['runm event list', 'runm event list --all --limit 20'],
  run: async (context, args) => {
    const limit = args.string('limit') ?? '100';
    if (!/^[1-9]\d{0,2}$/.test(limit)) throw new UsageError('--limit is a number from 1 to 999');
    const client = createClient(EventService, context.transport());
    const parent = parentOf(context, args);
    const answer = await client.listEvents(
      { parent, pageSize: Number(limit), newestFirst: true },
      callOptions(context),
    );
    await showList(context.output, shownEvent, answer.events.toReversed());
    return undefined;
  },
};

export const watch: Command = {
  summary: 'show events as they happen, until Ctrl-C',
  options: {
    ...ALL,
    for: { type: 'string', value: 'SPAN', help: 'end after this time (24h)' },
  },
  run: async (context, args) => {
    const client = createClient(EventService, context.transport());
    const timeoutMs = parseSpanSeconds(args.string('for') ?? '24h', '--for') * 1000;
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([context.signal, limit]);
    const parent = parentOf(context, args);
    try {
      for await (const answer of client.watchEvents(
        { parent },
        { signal, timeoutMs: timeoutMs + 5000 },
      )) {
        for (const event of answer.events) await showEvent(context.output, event);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return undefined;
  },
};
