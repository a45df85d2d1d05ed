import type { LabContext, Route, Write } from '../context.ts';
import { type Json, link, noContent, refuse } from '../message.ts';
import { EVENT_SERVICE } from './paths.ts';
import { collection, oneOf, resource, textField } from './shape.ts';

/** Keeps subscriptions, and says that it is off: no event is sent to any of them. */
const SUBSCRIPTIONS = `${EVENT_SERVICE}/Subscriptions`;
const SUBSCRIPTIONS_MAX = 16;

export type Subscription = { readonly destination: string; readonly context: string };

const serviceOf = (): Json =>
  resource('EventService', EVENT_SERVICE, {
    Name: 'Event service',
    ServiceEnabled: false,
    Status: { State: 'Disabled' },
    Subscriptions: link(SUBSCRIPTIONS),
    // There is none, and sushy expects the place.
    Actions: {},
  });

const subscriptionOf = ({ subscriptions }: LabContext, id: string): Json | undefined => {
  const found = subscriptions.get(id);
  if (found === undefined) return undefined;
  return resource('EventDestination', `${SUBSCRIPTIONS}/${id}`, {
    Name: 'Subscription',
    Destination: found.destination,
    Context: found.context,
    Protocol: 'Redfish',
    SubscriptionType: 'RedfishEvent',
    EventFormatType: 'Event',
  });
};

const subscribe: Write = (context, body) => {
  const { subscriptions } = context;
  const missing = ['Destination', 'Protocol'].find((name) => body[name] === undefined);
  if (missing !== undefined) {
    return refuse(400, 'PropertyMissing', { detail: `It is ${missing}.`, about: missing });
  }
  const destination = textField(body, 'Destination');
  const told = textField(body, 'Context');
  const protocol = oneOf(body, 'Protocol', ['Redfish']);
  for (const field of [destination, told, protocol]) if (field.kind === 'wrong') return field.reply;
  const url = destination.kind === 'value' ? destination.value : '';
  if (!URL.canParse(url)) {
    const detail = `Destination is ${JSON.stringify(url)}.`;
    return refuse(400, 'PropertyValueTypeError', { detail, about: 'Destination' });
  }
  if (subscriptions.size >= SUBSCRIPTIONS_MAX) return refuse(400, 'CreateLimitReachedForResource');
  const id = String(1 + Math.max(0, ...[...subscriptions.keys()].map(Number)));
  subscriptions.set(id, {
    destination: url,
    context: told.kind === 'value' ? told.value : '',
  });
  const headers = { location: `${SUBSCRIPTIONS}/${id}` };
  return { status: 201, headers, body: subscriptionOf(context, id) ?? {} };
};

export const EVENT_ROUTES: readonly Route[] = [
  { path: EVENT_SERVICE, get: serviceOf },
  {
    path: SUBSCRIPTIONS,
    get: ({ subscriptions }) =>
      collection('EventDestination', SUBSCRIPTIONS, {
        name: 'Subscriptions',
        ids: [...subscriptions.keys()],
      }),
    post: subscribe,
    need: 'manager',
  },
  {
    path: `${SUBSCRIPTIONS}/{id}`,
    get: (context, { id }) => subscriptionOf(context, id),
    remove: ({ subscriptions }, _body, { id }) => {
      subscriptions.delete(id);
      return noContent;
    },
    need: 'manager',
  },
];
