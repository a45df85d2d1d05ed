import type { LabContext, Route } from '../context.ts';
import { type Json, link } from '../message.ts';
import { metadataXml, odataDocument } from '../metadata.ts';
import { EVENT_SERVICE, JSON_SCHEMAS, REGISTRIES, ROOT, SESSIONS } from './paths.ts';
import { resource } from './shape.ts';

/** Service root and the documents that OData wants beside it (DSP0266, service root request). */
const rootOf = ({ server, personality }: LabContext): Json => ({
  ...resource('ServiceRoot', ROOT, {
    Id: 'RootService',
    Name: 'Root service',
    RedfishVersion: '1.16.0',
    UUID: bmcUuid(server.hardware.uuid),
    Vendor: server.hardware.vendor,
    Product: personality.product ?? `${server.hardware.model} controller`,
    ProtocolFeaturesSupported: {
      ExcerptQuery: false,
      ExpandQuery: {
        ExpandAll: false,
        Levels: personality.expand !== false,
        Links: false,
        NoLinks: personality.expand !== false,
        ...(personality.expand === false ? {} : { MaxLevels: EXPAND_LEVELS_MAX }),
      },
      FilterQuery: false,
      OnlyMemberQuery: true,
      SelectQuery: false,
    },
    Systems: link(`${ROOT}/Systems`),
    Chassis: link(`${ROOT}/Chassis`),
    Managers: link(`${ROOT}/Managers`),
    SessionService: link(`${ROOT}/SessionService`),
    AccountService: link(`${ROOT}/AccountService`),
    UpdateService: link(`${ROOT}/UpdateService`),
    EventService: link(EVENT_SERVICE),
    Registries: link(REGISTRIES),
    JsonSchemas: link(JSON_SCHEMAS),
    Tasks: link(`${ROOT}/TaskService`),
    Links: { Sessions: link(SESSIONS) },
  }),
});

export const EXPAND_LEVELS_MAX = 3;

/** The service's own, which is not that of the machine. */
export const bmcUuid = (uuid: string): string =>
  `${uuid.slice(0, -1)}${(Number.parseInt(uuid.slice(-1), 16) ^ 1).toString(16)}`;

export const ROOT_ROUTES: readonly Route[] = [
  { path: '/redfish', isPublic: true, get: () => ({ v1: `${ROOT}/` }) },
  { path: ROOT, isPublic: true, get: rootOf },
  { path: `${ROOT}/odata`, isPublic: true, get: odataDocument },
  { path: `${ROOT}/$metadata`, isPublic: true, get: metadataXml },
];
