import type { Kind, Shape } from './redfish-shape.ts';
import { resourceOf, STATUS } from './redfish-shape-parts.ts';

/** Where clients look up what messages and types mean, and whether events are sent. */

const LOCATION: Kind = {
  list: { properties: { Language: 'text', Uri: 'uri', PublicationUri: 'text' } },
};
const LANGUAGES: Kind = { list: 'text' };
const SEVERITIES = ['OK', 'Warning', 'Critical'];

const FORMATS = ['Event', 'MetricReport'];
const EVENT_TYPES = [
  ...['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert'],
  ...['MetricReport', 'Other'],
];

/** What is sent to subscribers. */
export const EVENT: Shape = {
  properties: {
    Id: 'text',
    Name: 'text',
    Context: 'text?',
    Events: {
      list: {
        properties: {
          MemberId: 'text',
          EventId: 'text',
          EventType: EVENT_TYPES,
          EventTimestamp: 'time',
          EventGroupId: 'count',
          MessageId: 'text',
          MessageArgs: { list: 'text' },
          Message: 'text',
          MessageSeverity: SEVERITIES,
          Severity: 'text',
          OriginOfCondition: 'link',
          LogEntry: 'link',
        },
        required: ['MemberId', 'EventType', 'MessageId'],
      },
    },
  },
  required: ['@odata.type', 'Id', 'Name', 'Events'],
};

const ENTRY: Shape = {
  properties: {
    Description: 'text',
    Message: 'text',
    Severity: SEVERITIES,
    MessageSeverity: SEVERITIES,
    NumberOfArgs: 'count',
    ParamTypes: { list: ['string', 'number'] },
    Resolution: 'text',
  },
  required: ['Description', 'Message', 'Severity', 'NumberOfArgs', 'Resolution'],
};

export const LOOKUP_SHAPES: Readonly<Record<string, Shape>> = {
  '#EventService.v1_7_0.EventService': resourceOf({
    ServiceEnabled: 'flag',
    Status: STATUS,
    DeliveryRetryAttempts: 'count',
    DeliveryRetryIntervalSeconds: 'count',
    EventFormatTypes: { list: FORMATS },
    EventTypesForSubscription: { list: EVENT_TYPES },
    RegistryPrefixes: { list: 'text' },
    ResourceTypes: { list: 'text' },
    SubordinateResourcesSupported: 'flag',
    ServerSentEventUri: 'uri',
    Subscriptions: 'link',
    Actions: {
      properties: {
        '#EventService.SubmitTestEvent': {
          properties: { target: 'uri', EventType: 'text' },
          required: ['target'],
        },
      },
    },
  }),
  '#EventDestination.v1_10_0.EventDestination': needing(
    {
      Destination: 'text',
      Context: 'text?',
      Protocol: ['Redfish', 'SNMPv1', 'SNMPv2c', 'SNMPv3', 'SMTP', 'SyslogTLS', 'Kafka', 'OEM'],
      SubscriptionType: ['RedfishEvent', 'SSE', 'SNMPTrap', 'SNMPInform', 'Syslog', 'OEM'],
      EventFormatType: FORMATS,
      EventTypes: { list: EVENT_TYPES },
      RegistryPrefixes: { list: 'text' },
      MessageIds: { list: 'text' },
      ResourceTypes: { list: 'text' },
      OriginResources: 'links',
      SubordinateResources: 'flag',
      DeliveryRetryPolicy: ['TerminateAfterRetries', 'SuspendRetries', 'RetryForever'],
      VerifyCertificate: 'flag',
      HttpHeaders: { list: { properties: {} } },
      Status: STATUS,
      Actions: {
        properties: {
          '#EventDestination.ResumeSubscription': {
            properties: { target: 'uri' },
            required: ['target'],
          },
        },
      },
    },
    ['Destination', 'Context', 'Protocol', 'SubscriptionType'],
  ),
  '#JsonSchemaFile.v1_1_4.JsonSchemaFile': needing(
    { Schema: 'text', Languages: LANGUAGES, Location: LOCATION },
    ['Schema', 'Languages', 'Location'],
  ),
  '#MessageRegistryFile.v1_1_3.MessageRegistryFile': needing(
    { Registry: 'text', Languages: LANGUAGES, Location: LOCATION },
    ['Registry', 'Languages', 'Location'],
  ),
  '#MessageRegistry.v1_5_0.MessageRegistry': needing(
    {
      Language: 'text',
      RegistryPrefix: 'text',
      RegistryVersion: 'text',
      OwningEntity: 'text',
      Messages: { each: ENTRY },
    },
    ['Language', 'RegistryPrefix', 'RegistryVersion', 'OwningEntity', 'Messages'],
  ),
};

function needing(properties: Readonly<Record<string, Kind>>, names: readonly string[]): Shape {
  const shape = resourceOf(properties);
  return { ...shape, required: [...(shape.required ?? []), ...names] };
}
