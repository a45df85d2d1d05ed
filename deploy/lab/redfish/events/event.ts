import type { Json } from '../message.ts';
import {
  EVENT_REGISTRIES,
  type EventRegistry,
  type Severity,
  versionOf,
} from './event-registries.ts';

/** The kinds by which subscribers chose before 2018; still sent with each event. */
export const EVENT_TYPES = [
  ...(['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert'] as const),
  'Other',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** Something that happened, as it is told to whoever subscribed (DSP0268, Event). */
export type LabEvent = {
  readonly messageId: string;
  readonly type: EventType;
  readonly args: readonly string[];
  /** Path of the resource that it is about; empty = none is known. */
  readonly origin: string;
  /** Schema of that resource; empty = not known. */
  readonly originType: string;
  /** Everything else that is said of it. */
  readonly said: Json;
};

type Happening = Pick<LabEvent, 'type' | 'origin' | 'originType'> & {
  readonly args?: readonly string[];
  readonly at: Date;
  /** That of the registry where absent. */
  readonly severity?: Severity;
  readonly rest?: Json;
};

export const eventOf = <R extends EventRegistry>(
  registry: R,
  name: keyof (typeof EVENT_REGISTRIES)[R] & string,
  { type, origin, originType, args = [], at, severity, rest = {} }: Happening,
): LabEvent => {
  const [usual, text] = entryOf(registry, name);
  return {
    ...{ messageId: `${registry}.${versionOf(registry)}.${name}`, type, args, origin, originType },
    said: {
      EventTimestamp: at.toISOString(),
      Message: args.reduce((said, arg, index) => said.replace(`%${index + 1}`, arg), text),
      MessageSeverity: severity ?? usual,
      Severity: severity ?? usual,
      ...rest,
    },
  };
};

const entryOf = (registry: EventRegistry, name: string): readonly [Severity, string] => {
  const entry = new Map(Object.entries(EVENT_REGISTRIES[registry])).get(name);
  return entry === undefined ? ['OK', name] : [entry[0], entry[1]];
};

/** What is sent to one subscriber. */
export const eventMessage = (
  event: LabEvent,
  { id, context }: { readonly id: number; readonly context: string },
): Json => ({
  '@odata.type': '#Event.v1_7_0.Event',
  Id: String(id),
  Name: 'Event',
  Context: context,
  Events: [
    {
      MemberId: '0',
      EventId: String(id),
      EventType: event.type,
      MessageId: event.messageId,
      MessageArgs: event.args,
      ...(event.origin === '' ? {} : { OriginOfCondition: { '@odata.id': event.origin } }),
      ...event.said,
    },
  ],
});
