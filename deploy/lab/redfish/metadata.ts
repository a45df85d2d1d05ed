import type { Json } from './message.ts';
import { EVENT_SERVICE, JSON_SCHEMAS, REGISTRIES, ROOT } from './resources/paths.ts';
import { COLLECTIONS, VERSIONS } from './schema-versions.ts';

/**
 * $metadata and the OData service document (DSP0266, OData). The schemas themselves lie with the
 * DMTF, where the references point, as the specification allows.
 */
const PUBLISHED = 'http://redfish.dmtf.org/schemas/v1';

export const metadataXml = (): string => {
  const references = Object.entries(VERSIONS).map(([name, version]) =>
    referenceTo(name, [name, `${name}.${version}`]),
  );
  const collections = COLLECTIONS.map((name) =>
    referenceTo(`${name}Collection`, [`${name}Collection`]),
  );
  const common = [
    referenceTo('RedfishExtensions', ['RedfishExtensions.v1_0_0'], 'Redfish'),
    referenceTo('Message', ['Message', 'Message.v1_1_2']),
    referenceTo('Resource', ['Resource', 'Resource.v1_14_0']),
    referenceTo('Settings', ['Settings', 'Settings.v1_3_5']),
    referenceTo('ActionInfo', ['ActionInfo', 'ActionInfo.v1_3_0']),
  ];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">',
    ...[...references, ...collections, ...common],
    '  <edmx:DataServices>',
    '    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">',
    `      <EntityContainer Name="Service" Extends="ServiceRoot.${VERSIONS.ServiceRoot}.ServiceContainer"/>`,
    '    </Schema>',
    '  </edmx:DataServices>',
    '</edmx:Edmx>',
    '',
  ].join('\n');
};

const referenceTo = (file: string, namespaces: readonly string[], alias = ''): string =>
  [
    `  <edmx:Reference Uri="${PUBLISHED}/${file}_v1.xml">`,
    ...namespaces.map(
      (name) => `    <edmx:Include Namespace="${name}"${alias === '' ? '' : ` Alias="${alias}"`}/>`,
    ),
    '  </edmx:Reference>',
  ].join('\n');

const SINGLETONS: Readonly<Record<string, string>> = {
  Service: ROOT,
  Systems: `${ROOT}/Systems`,
  Chassis: `${ROOT}/Chassis`,
  Managers: `${ROOT}/Managers`,
  Tasks: `${ROOT}/TaskService`,
  SessionService: `${ROOT}/SessionService`,
  AccountService: `${ROOT}/AccountService`,
  UpdateService: `${ROOT}/UpdateService`,
  Sessions: `${ROOT}/SessionService/Sessions`,
  EventService: EVENT_SERVICE,
  Registries: REGISTRIES,
  JsonSchemas: JSON_SCHEMAS,
};

export const odataDocument = (): Json => ({
  '@odata.context': `${ROOT}/$metadata`,
  value: Object.entries(SINGLETONS).map(([name, url]) => ({ name, kind: 'Singleton', url })),
});
