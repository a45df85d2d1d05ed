import type { LabContext, Route, Write } from '../context.ts';
import { EVENT_TYPES, type LabEvent } from '../events/event.ts';
import type { KeptSubscription } from '../events/events.ts';
import { EVERYTHING } from '../events/subscription.ts';
import { type Json, type LabReply, type LabRequest, link, noContent, refuse } from '../message.ts';
import { EVENT_SERVICE } from './paths.ts';
import { collection, flagField, HEALTHY, resource, textField, unknownProperty } from './shape.ts';
import {
  CHANGEABLE,
  changedSubscription,
  newSubscription,
  REGISTRY_PREFIXES,
  RESOURCE_TYPES,
} from './subscription-body.ts';

/** Tells subscribers what happens, by POST or down a stream (DSP0266, eventing). */
const SUBSCRIPTIONS = `${EVENT_SERVICE}/Subscriptions`;
const STREAM = `${EVENT_SERVICE}/SSE`;
const SUBMIT = `${EVENT_SERVICE}/Actions/EventService.SubmitTestEvent`;
const RESUME = 'Actions/EventDestination.ResumeSubscription';

const serviceOf = ({ events }: LabContext): Json => {
  const { enabled, attempts, intervalSeconds } = events.settings();
  return resource('EventService', EVENT_SERVICE, {
    Name: 'Event service',
    ServiceEnabled: enabled,
    Status: enabled ? HEALTHY : { State: 'Disabled' },
    DeliveryRetryAttempts: attempts,
    DeliveryRetryIntervalSeconds: intervalSeconds,
    EventFormatTypes: ['Event'],
    EventTypesForSubscription: EVENT_TYPES,
    RegistryPrefixes: REGISTRY_PREFIXES,
    ResourceTypes: RESOURCE_TYPES,
    SubordinateResourcesSupported: true,
    ServerSentEventUri: STREAM,
    Subscriptions: link(SUBSCRIPTIONS),
    Actions: {
      '#EventService.SubmitTestEvent': {
        target: SUBMIT,
        'EventType@Redfish.AllowableValues': EVENT_TYPES,
      },
    },
  });
};

const ATTEMPTS_MAX = 100;
const INTERVAL_SECONDS_MAX = 3_600;

const patchService: Write = ({ events }, body) => {
  const names = ['ServiceEnabled', 'DeliveryRetryAttempts', 'DeliveryRetryIntervalSeconds'];
  const unknown = unknownProperty(body, names);
  if (unknown !== undefined) return unknown;
  const now = events.settings();
  const enabled = flagField(body, 'ServiceEnabled');
  if (enabled.kind === 'wrong') return enabled.reply;
  const { DeliveryRetryAttempts: attempts = now.attempts } = body;
  const { DeliveryRetryIntervalSeconds: intervalSeconds = now.intervalSeconds } = body;
  if (!isCount(attempts, 0, ATTEMPTS_MAX)) {
    const detail = `DeliveryRetryAttempts is from 0 to ${ATTEMPTS_MAX}.`;
    return refuse(400, 'PropertyValueTypeError', { detail, about: 'DeliveryRetryAttempts' });
  }
  if (!isCount(intervalSeconds, 1, INTERVAL_SECONDS_MAX)) {
    const detail = `DeliveryRetryIntervalSeconds is from 1 to ${INTERVAL_SECONDS_MAX}.`;
    return refuse(400, 'PropertyValueTypeError', { detail, about: 'DeliveryRetryIntervalSeconds' });
  }
  events.set({
    ...{ attempts, intervalSeconds },
    enabled: enabled.kind === 'value' ? enabled.value : now.enabled,
  });
  return noContent;
};

const isCount = (value: unknown, min: number, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;

const subscriptionOf = ({ events }: LabContext, id: string): Json | undefined => {
  const found = events.find(id);
  if (found === undefined) return undefined;
  const { subscription: asked, kind, isSuspended } = found;
  return resource('EventDestination', `${SUBSCRIPTIONS}/${id}`, {
    Name: 'Subscription',
    Destination: asked.destination,
    Context: asked.context,
    Protocol: 'Redfish',
    SubscriptionType: kind === 'stream' ? 'SSE' : 'RedfishEvent',
    EventFormatType: 'Event',
    Status: isSuspended ? { State: 'Disabled' } : HEALTHY,
    ...filtersOf(asked),
    ...(kind === 'stream' ? {} : deliveryOf(found, id)),
  });
};

const filtersOf = (asked: KeptSubscription['subscription']): Json => {
  const lists = {
    EventTypes: asked.eventTypes,
    RegistryPrefixes: asked.registryPrefixes,
    MessageIds: asked.messageIds,
    ResourceTypes: asked.resourceTypes,
    OriginResources: asked.originResources.map(link),
  };
  return {
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
    ...(asked.originResources.length === 0 ? {} : { SubordinateResources: asked.subordinates }),
  };
};

const deliveryOf = ({ subscription }: KeptSubscription, id: string): Json => ({
  DeliveryRetryPolicy: subscription.retryPolicy,
  VerifyCertificate: subscription.verifies,
  // What they are is for the destination only (DSP0268, EventDestination).
  HttpHeaders: [],
  Actions: {
    '#EventDestination.ResumeSubscription': { target: `${SUBSCRIPTIONS}/${id}/${RESUME}` },
  },
});

const subscribe: Write = (context, body) => {
  const wish = newSubscription(body);
  if (wish.kind === 'wrong') return wish.reply;
  const id = context.events.subscribe(wish.subscription);
  if (id === undefined) return refuse(400, 'CreateLimitReachedForResource');
  const headers = { location: `${SUBSCRIPTIONS}/${id}` };
  return { status: 201, headers, body: subscriptionOf(context, id) ?? {} };
};

const change: Write = ({ events }, body, { id }) => {
  const unknown = unknownProperty(body, CHANGEABLE);
  if (unknown !== undefined) return unknown;
  const found = events.find(id);
  const wish = changedSubscription(body, found?.subscription ?? EVERYTHING);
  if (wish.kind === 'wrong') return wish.reply;
  events.replace(id, wish.subscription);
  return noContent;
};

const resume: Write = ({ events }, _body, { id }) => {
  if (events.find(id) === undefined) return refuse(404, 'ResourceMissingAtURI');
  events.resume(id);
  return noContent;
};

/** What is of another kind than it must be is left out: clients send all kinds of it. */
const submit: Write = ({ events }, body) => {
  const messageId = textField(body, 'MessageId');
  if (messageId.kind === 'absent') {
    return refuse(400, 'ActionParameterMissing', { detail: 'It is MessageId.' });
  }
  if (messageId.kind === 'wrong' || !/^\w+(?:\.\d+){2,3}\.\w+$/.test(messageId.value)) {
    const detail = 'MessageId is as in ResourceEvent.1.3.TestMessage.';
    return refuse(400, 'ActionParameterValueNotInList', { detail });
  }
  events.tell(testEvent(messageId.value, body));
  return noContent;
};

const testEvent = (messageId: string, body: Json): LabEvent => {
  const { EventTimestamp: at, MessageArgs: args, OriginOfCondition: origin } = body;
  const said = {
    ...(typeof at === 'string' && TIME.test(at) ? { EventTimestamp: at } : {}),
    ...textsIn(body, 'Message', 'Severity'),
    ...(HEALTHS.some((one) => one === body.MessageSeverity)
      ? { MessageSeverity: body.MessageSeverity }
      : {}),
    ...(Number.isInteger(body.EventGroupId) ? { EventGroupId: body.EventGroupId } : {}),
  };
  return {
    ...{ messageId, said, originType: '' },
    type: EVENT_TYPES.find((one) => one === body.EventType) ?? 'Other',
    args: Array.isArray(args) ? args.map(String) : [],
    origin: typeof origin === 'string' ? origin : '',
  };
};

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const HEALTHS = ['OK', 'Warning', 'Critical'];

const textsIn = (body: Json, ...names: readonly string[]): Json =>
  Object.fromEntries(
    names.flatMap((name) => (typeof body[name] === 'string' ? [[name, body[name]]] : [])),
  );

/** The answer that goes on for as long as somebody listens; undefined = it is not asked for. */
export const streamReply = (
  { events }: LabContext,
  { method, path, query }: LabRequest,
): LabReply | undefined => {
  if (path !== STREAM || method !== 'GET') return undefined;
  if (query.has('$filter')) {
    return refuse(501, 'QueryNotSupported', { detail: 'It is $filter.' });
  }
  if (!events.settings().enabled) return refuse(503, 'ServiceTemporarilyUnavailable');
  return {
    status: 200,
    stream: ({ send, end, from }) =>
      events.stream(
        { ...EVERYTHING, destination: `redfish-sse://${from}`, context: `stream to ${from}` },
        { send: (id, text) => send(`id: ${id}\ndata: ${text}\n\n`), end },
      ),
  };
};

export const EVENT_ROUTES: readonly Route[] = [
  { path: EVENT_SERVICE, get: serviceOf, patch: patchService, need: 'manager' },
  { path: SUBMIT, post: submit, need: 'manager' },
  {
    path: SUBSCRIPTIONS,
    get: ({ events }) =>
      collection('EventDestination', SUBSCRIPTIONS, { name: 'Subscriptions', ids: events.ids() }),
    post: subscribe,
    need: 'manager',
  },
  {
    path: `${SUBSCRIPTIONS}/{id}`,
    get: (context, { id }) => subscriptionOf(context, id),
    patch: change,
    remove: ({ events }, _body, { id }) => {
      events.remove(id);
      return noContent;
    },
    need: 'manager',
  },
  { path: `${SUBSCRIPTIONS}/{id}/${RESUME}`, post: resume, need: 'manager' },
];
