import { BIOS_DEFAULTS, type BiosValue } from '../../server-state.ts';
import type { Route } from '../context.ts';
import {
  EVENT_REGISTRY_NAMES,
  eventRegistryMessages,
  fullVersionOf,
  versionOf,
} from '../events/event-registries.ts';
import { type Json, REGISTRY, REGISTRY_VERSION, registryMessages } from '../message.ts';
import { VERSIONS } from '../schema-versions.ts';
import { JSON_SCHEMAS, REGISTRIES, schemaPath } from './paths.ts';
import { collection, resource } from './shape.ts';

/** Where it is said what messages and types mean (DSP0266, registries; JSON schemas). */
const PUBLISHED = 'http://redfish.dmtf.org';

type Registry = {
  readonly id: string;
  /** As it is in a MessageId: `Base.1.13`. */
  readonly name: string;
  readonly version: string;
  readonly messages: () => Json;
};

/** Only the messages that are sent, in the words in which they are sent. */
const ALL: readonly Registry[] = [
  { id: 'Base', name: REGISTRY, version: REGISTRY_VERSION, messages: registryMessages },
  ...EVENT_REGISTRY_NAMES.map((id) => ({
    id,
    name: `${id}.${versionOf(id)}`,
    version: fullVersionOf(id),
    messages: () => eventRegistryMessages(id),
  })),
];

const fileOf = ({ id, name, version }: Registry): Json =>
  resource('MessageRegistryFile', `${REGISTRIES}/${id}`, {
    Name: `${id} messages`,
    Registry: name,
    Languages: ['en'],
    Location: [
      {
        Language: 'en',
        Uri: `${REGISTRIES}/${id}/en`,
        PublicationUri: `${PUBLISHED}/registries/${id}.${version}.json`,
      },
    ],
  });

const registryOf = ({ id, version, messages }: Registry): Json =>
  resource('MessageRegistry', `${REGISTRIES}/${id}/en`, {
    Id: `${id}.${version}`,
    Name: `${id} messages that this service sends`,
    Language: 'en',
    RegistryPrefix: id,
    RegistryVersion: version,
    OwningEntity: 'DMTF',
    Messages: messages(),
  });

const publishedAt = (id: string): string => `${PUBLISHED}/schemas/v1/${id}.json`;

const SCHEMAS = new Map(
  Object.entries(VERSIONS).map(([name, version]) => [`${name}.${version}`, name]),
);

/** The schemas themselves lie with the DMTF; this leads there, and to a stand-in for each. */
const schemaOf = (id: string): Json | undefined => {
  const name = SCHEMAS.get(id);
  if (name === undefined) return undefined;
  return resource('JsonSchemaFile', `${JSON_SCHEMAS}/${id}`, {
    Name: `Schema of ${name}`,
    Schema: `#${id}.${name}`,
    Languages: ['en'],
    Location: [{ Language: 'en', Uri: schemaPath(id), PublicationUri: publishedAt(id) }],
  });
};

/** All numbers among the settings are whole. */
const typeOfSetting = (value: BiosValue): Json => ({
  type: typeof value === 'number' ? 'integer' : typeof value,
});

const WHOLE: Json = { type: 'integer' };

/**
 * What is written and is no text: ilorest sends no part of an object that it does not find
 * described, and numbers as texts.
 */
const WRITTEN: Readonly<Record<string, Json>> = {
  Bios: {
    Attributes: {
      type: 'object',
      properties: Object.fromEntries(
        Object.entries(BIOS_DEFAULTS).map(([name, value]) => [name, typeOfSetting(value)]),
      ),
      patternProperties: {},
    },
  },
  ComputerSystem: { Boot: { type: 'object' } },
  AccountService: { AccountLockoutThreshold: WHOLE, AccountLockoutDuration: WHOLE },
  EventService: { DeliveryRetryAttempts: WHOLE, DeliveryRetryIntervalSeconds: WHOLE },
  SessionService: { SessionTimeout: WHOLE },
};

/** Any object with a name and a type: nobody is refused for want of the rest (draft 7). */
const schemaFileOf = (id: string): Json | undefined => {
  const name = SCHEMAS.get(id);
  if (name === undefined) return undefined;
  const text = { type: 'string', readonly: true };
  const named = { '@odata.id': text, '@odata.type': text, Id: text, Name: text };
  const properties = { ...named, ...WRITTEN[name] };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: publishedAt(id),
    title: `#${id}.${name}`,
    $ref: `#/definitions/${name}`,
    definitions: {
      [name]: {
        ...{ type: 'object', properties, additionalProperties: true },
        required: ['@odata.id', '@odata.type', 'Id', 'Name'],
      },
    },
  };
};

export const REGISTRY_ROUTES: readonly Route[] = [
  {
    path: REGISTRIES,
    get: () => {
      const ids = ALL.map(({ id }) => id);
      return collection('MessageRegistryFile', REGISTRIES, { name: 'Registries', ids });
    },
  },
  ...ALL.flatMap((one): readonly Route[] => [
    { path: `${REGISTRIES}/${one.id}`, get: () => fileOf(one) },
    { path: `${REGISTRIES}/${one.id}/en`, get: () => registryOf(one) },
  ]),
  {
    path: JSON_SCHEMAS,
    get: () =>
      collection('JsonSchemaFile', JSON_SCHEMAS, { name: 'Schemas', ids: [...SCHEMAS.keys()] }),
  },
  { path: `${JSON_SCHEMAS}/{id}`, get: (_context, { id }) => schemaOf(id) },
  { path: schemaPath('{id}'), get: (_context, { id }) => schemaFileOf(id) },
];
