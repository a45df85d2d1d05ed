import type { Route } from '../context.ts';
import { type Json, REGISTRY, REGISTRY_VERSION, registryMessages } from '../message.ts';
import { VERSIONS } from '../schema-versions.ts';
import { JSON_SCHEMAS, REGISTRIES } from './paths.ts';
import { collection, resource } from './shape.ts';

/** Where it is said what messages and types mean (DSP0266, registries; JSON schemas). */
const PUBLISHED = 'http://redfish.dmtf.org';
const BASE = `${REGISTRIES}/Base`;
const FILE = `${BASE}/en`;

const baseOf = (): Json =>
  resource('MessageRegistryFile', BASE, {
    Name: 'Base messages',
    Registry: REGISTRY,
    Languages: ['en'],
    Location: [
      {
        Language: 'en',
        Uri: FILE,
        PublicationUri: `${PUBLISHED}/registries/Base.${REGISTRY_VERSION}.json`,
      },
    ],
  });

/** Only the messages that are sent, in the words in which they are sent. */
const fileOf = (): Json =>
  resource('MessageRegistry', FILE, {
    Id: `Base.${REGISTRY_VERSION}`,
    Name: 'Base messages that this service sends',
    Language: 'en',
    RegistryPrefix: 'Base',
    RegistryVersion: REGISTRY_VERSION,
    OwningEntity: 'DMTF',
    Messages: registryMessages(),
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
    get: () => collection('MessageRegistryFile', REGISTRIES, { name: 'Registries', ids: ['Base'] }),
  },
  { path: BASE, get: baseOf },
  { path: FILE, get: fileOf },
  {
    path: JSON_SCHEMAS,
    get: () =>
      collection('JsonSchemaFile', JSON_SCHEMAS, { name: 'Schemas', ids: [...SCHEMAS.keys()] }),
  },
  { path: `${JSON_SCHEMAS}/{id}`, get: (_context, { id }) => schemaOf(id) },
];
