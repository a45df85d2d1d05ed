import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { EventSchema } from '../../../gen/runmachine/machine/v1/event_pb.ts';
import {
  EventService,
  type ListEventsRequest,
  type WatchEventsRequest,
  type WatchEventsResponse,
  WatchEventsResponseSchema,
} from '../../../gen/runmachine/machine/v1/event_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { ANY } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { eventMessage } from '../event-message.ts';
import type { EventFilter, Parent } from '../ports.ts';
import { parentPattern } from './machine-create.ts';
import { cutPage, pageFor, type RpcDeps } from './rpc-deps.ts';

export const eventRpc = (deps: RpcDeps): Implementation =>
  implement(EventService, {
    listEvents: (request, context) => list(deps, request, context),
    watchEvents: (request, context) => watch(deps, request, context),
  });

const parentOf = (parent: string): Parent =>
  parentPattern.parse(parent) ?? { partition: ANY, project: ANY };

const list = async (deps: RpcDeps, request: ListEventsRequest, context: HandlerContext) => {
  const { parent, targetUid, newestFirst } = request;
  const page = pageFor(deps, request, { parent, targetUid, newestFirst });
  const filter: EventFilter = {
    parent: parentOf(parent),
    access: accessOf(context),
    targetUid: targetUid.toLowerCase(),
    newestFirst,
  };
  const rows = await deps.store.read((reader) => deps.records.events.list(reader, filter, page));
  const { messages, nextPageToken } = cutPage({
    page,
    rows,
    keyOf: ({ id }) => [id],
    schema: EventSchema,
    message: ({ event }) => eventMessage(event),
  });
  return { events: messages, nextPageToken };
};

async function* watch(
  { store, records }: RpcDeps,
  request: WatchEventsRequest,
  context: HandlerContext,
): AsyncGenerator<WatchEventsResponse> {
  const { signal } = context;
  const token = request.resumeToken === '' ? await store.changes.head() : request.resumeToken;
  const parent = parentOf(request.parent);
  const targetUid = request.targetUid.toLowerCase();
  // Told at once, so that a caller knows from when on nothing is missed.
  yield create(WatchEventsResponseSchema, { resumeToken: token });
  for await (const batch of store.changes.follow({ token, kinds: ['event'], signal })) {
    const uids = batch.changes.map((change) => change.uid);
    const filter = { parent, access: accessOf(context), targetUid };
    const events = await store.read((reader) => records.events.findMany(reader, uids, filter));
    if (uids.length > 0 && events.length === 0) continue;
    yield create(WatchEventsResponseSchema, {
      events: events.map(eventMessage),
      resumeToken: batch.token,
    });
  }
}
