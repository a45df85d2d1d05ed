import { createClient } from '@connectrpc/connect';
import { EventService } from '../../../gen/runmachine/machine/v1/event_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { parseSpanSeconds } from '../format/span.ts';
import { showList } from '../output.ts';
import { projectParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { showEvent, shownEvent } from './event-line.ts';

export const list: Command = {
  summary: 'list events, the newest last',
  options: {
    limit: { type: 'string', value: 'N', help: 'how many of the newest (100)' },
  },
  run: async (context, args) => {
    const limit = args.string('limit') ?? '100';
    if (!/^[1-9]\d{0,2}$/.test(limit)) throw new UsageError('--limit is a number from 1 to 999');
    const client = createClient(EventService, context.transport());
    const parent = projectParent(context.settings);
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
  options: { for: { type: 'string', value: 'SPAN', help: 'end after this time (24h)' } },
  run: async (context, args) => {
    const client = createClient(EventService, context.transport());
    const timeoutMs = parseSpanSeconds(args.string('for') ?? '24h', '--for') * 1000;
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([context.signal, limit]);
    const parent = projectParent(context.settings);
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
