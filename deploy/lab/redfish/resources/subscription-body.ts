import { EVENT_TYPES } from '../events/event.ts';
import { EVENT_REGISTRY_NAMES } from '../events/event-registries.ts';
import { EVERYTHING, RETRY_POLICIES, type Subscription } from '../events/subscription.ts';
import { type Json, type LabReply, refuse } from '../message.ts';
import { type Field, flagField, oneOf, textField } from './shape.ts';

/** Bodies that make and change subscriptions, checked. */
export const REGISTRY_PREFIXES: readonly string[] = EVENT_REGISTRY_NAMES;
export const RESOURCE_TYPES = ['Bios', 'ComputerSystem', 'LogEntry', 'Task', 'VirtualMedia'];

export type Wish =
  | { readonly kind: 'value'; readonly subscription: Subscription }
  | { readonly kind: 'wrong'; readonly reply: LabReply };

export const newSubscription = (body: Json): Wish => {
  const missing = ['Destination', 'Protocol'].find((name) => body[name] === undefined);
  if (missing !== undefined) {
    return wrong('PropertyMissing', { detail: `It is ${missing}.`, about: missing });
  }
  const destination = textField(body, 'Destination');
  const url = destination.kind === 'value' ? destination.value : '';
  const fixed = [
    destination,
    oneOf(body, 'Protocol', ['Redfish']),
    oneOf(body, 'SubscriptionType', ['RedfishEvent']),
    oneOf(body, 'EventFormatType', ['Event']),
  ];
  for (const field of fixed) if (field.kind === 'wrong') return field;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    const detail = `Destination is ${JSON.stringify(url)}.`;
    return wrong('PropertyValueTypeError', { detail, about: 'Destination' });
  }
  return withFilters(body, { ...EVERYTHING, destination: url });
};

const withFilters = (body: Json, empty: Subscription): Wish => {
  const lists = {
    eventTypes: listField(body, 'EventTypes', [...EVENT_TYPES, 'MetricReport']),
    registryPrefixes: listField(body, 'RegistryPrefixes', REGISTRY_PREFIXES),
    resourceTypes: listField(body, 'ResourceTypes', RESOURCE_TYPES),
    messageIds: listField(body, 'MessageIds'),
    originResources: originsField(body),
  };
  const subordinates = flagField(body, 'SubordinateResources');
  for (const field of [...Object.values(lists), subordinates]) {
    if (field.kind === 'wrong') return field;
  }
  return changedSubscription(body, {
    ...empty,
    ...Object.fromEntries(Object.entries(lists).map(([name, field]) => [name, valueOr(field, [])])),
    subordinates: valueOr(subordinates, false),
  });
};

/** What may be changed later on, too. */
export const CHANGEABLE = ['Context', 'DeliveryRetryPolicy', 'HttpHeaders', 'VerifyCertificate'];

export const changedSubscription = (body: Json, now: Subscription): Wish => {
  const context = body.Context === null ? ABSENT : textField(body, 'Context');
  const policy = oneOf(body, 'DeliveryRetryPolicy', RETRY_POLICIES);
  const verifies = flagField(body, 'VerifyCertificate');
  const headers = headersField(body);
  for (const field of [context, policy, verifies, headers]) {
    if (field.kind === 'wrong') return field;
  }
  return {
    kind: 'value',
    subscription: {
      ...now,
      context: valueOr(context, now.context),
      retryPolicy: valueOr(policy, now.retryPolicy),
      verifies: valueOr(verifies, now.verifies),
      headers: valueOr(headers, now.headers),
    },
  };
};

const ABSENT = { kind: 'absent' } as const;

const valueOr = <T>(field: Field<T>, otherwise: T): T =>
  field.kind === 'value' ? field.value : otherwise;

const wrong = (
  name: Parameters<typeof refuse>[1],
  refusal: { readonly detail: string; readonly about: string },
) => ({ kind: 'wrong', reply: refuse(400, name, refusal) }) as const;

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === 'string';

/** Null is what some send for a list that they do not fill. */
const listField = (
  body: Json,
  name: string,
  values?: readonly string[],
): Field<readonly string[]> => {
  const sent = body[name] ?? undefined;
  if (sent === undefined) return ABSENT;
  const detail = `${name} is ${JSON.stringify(sent)}.`;
  if (!Array.isArray(sent) || !sent.every(isText)) {
    return wrong('PropertyValueTypeError', { detail, about: name });
  }
  const isKnown = sent.every((one) => values === undefined || values.includes(one));
  return isKnown
    ? { kind: 'value', value: sent }
    : wrong('PropertyValueNotInList', { detail, about: name });
};

const originsField = (body: Json): Field<readonly string[]> => {
  const name = 'OriginResources';
  const sent = body[name] ?? undefined;
  if (sent === undefined) return ABSENT;
  const paths = Array.isArray(sent) ? sent.map((one) => Object(one)['@odata.id']) : [undefined];
  return paths.every(isText)
    ? { kind: 'value', value: paths.map((path) => path.replace(/\/+$/, '')) }
    : wrong('PropertyValueTypeError', { detail: `${name} is no list of links.`, about: name });
};

const HEADER = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const HEADER_VALUE = /^[\t\x20-\x7e]{0,4000}$/;

/** A list of objects with a name and a value each; gofish sends one object instead. */
const headersField = (body: Json): Field<ReadonlyMap<string, string>> => {
  const name = 'HttpHeaders';
  const sent = body[name] ?? undefined;
  if (sent === undefined) return ABSENT;
  const objects: readonly unknown[] = Array.isArray(sent) ? sent : [sent];
  const pairs = objects.flatMap((one) => Object.entries(Object(one)));
  const headers = new Map<string, string>();
  for (const [header, value] of pairs) {
    if (isText(value) && HEADER.test(header) && HEADER_VALUE.test(value)) {
      headers.set(header.toLowerCase(), value);
    }
  }
  return objects.every(isObject) && headers.size === pairs.length
    ? { kind: 'value', value: headers }
    : wrong('PropertyValueTypeError', { detail: `${name} is no list of headers.`, about: name });
};
