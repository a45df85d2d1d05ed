import type { Route } from '../context.ts';
import {
  EVENT_REGISTRY_NAMES,
  eventRegistryMessages,
  fullVersionOf,
  versionOf,
} from '../events/event-registries.ts';
import { type Json, REGISTRY, REGISTRY_VERSION, registryMessages } from '../message.ts';
import { VERSIONS } from '../schema-versions.ts';
import { JSON_SCHEMAS, REGISTRIES } from './paths.ts';
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

const SCHEMAS = new Map(
  Object.entries(VERSIONS).map(([name, version]) => [`${name}.${version}`, name]),
);

/** The schemas themselves lie with the DMTF. */
const schemaOf = (id: string): Json | undefined => {
  const name = SCHEMAS.get(id);
  if (name === undefined) return undefined;
  return resource('JsonSchemaFile', `${JSON_SCHEMAS}/${id}`, {
    Name: `Schema of ${name}`,
    Schema: `#${id}.${name}`,
    Languages: ['en'],
    Location: [{ Language: 'en', PublicationUri: `${PUBLISHED}/schemas/v1/${id}.json` }],
  });
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
];
