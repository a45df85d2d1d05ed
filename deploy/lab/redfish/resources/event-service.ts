import type { Route } from '../context.ts';
import { type Json, link } from '../message.ts';
import { EVENT_SERVICE } from './paths.ts';
import { collection, resource } from './shape.ts';

/** Says that no events are sent: clients ask, and those that subscribe are refused. */
const SUBSCRIPTIONS = `${EVENT_SERVICE}/Subscriptions`;

const serviceOf = (): Json =>
  resource('EventService', EVENT_SERVICE, {
    Name: 'Event service',
    ServiceEnabled: false,
    Status: { State: 'Disabled' },
    Subscriptions: link(SUBSCRIPTIONS),
    // There is none, and sushy expects the place.
    Actions: {},
  });

export const EVENT_ROUTES: readonly Route[] = [
  { path: EVENT_SERVICE, get: serviceOf },
  {
    path: SUBSCRIPTIONS,
    get: () => collection('EventDestination', SUBSCRIPTIONS, { name: 'Subscriptions', ids: [] }),
  },
];
