import type { Json } from '../message.ts';

/**
 * The messages that events name, of two of the DMTF's registries (DSP8011): which there are, how
 * severe they are and what their arguments are is the DMTF's, the words are ours.
 */
type Entry = readonly [Severity, string];

export type Severity = 'OK' | 'Warning' | 'Critical';

export const EVENT_REGISTRIES = {
  ResourceEvent: {
    ResourceChanged: ['OK', 'Something of the resource was changed.'],
    ResourceCreated: ['OK', 'There is a new resource.'],
    ResourceRemoved: ['OK', 'A resource is gone.'],
    ResourcePoweredOff: ['OK', '%1 is off.'],
    ResourcePoweredOn: ['OK', '%1 is on.'],
    ResourcePoweringOff: ['OK', '%1 is being switched off.'],
    ResourcePoweringOn: ['OK', '%1 is being switched on.'],
    TestMessage: ['OK', 'This is a test.'],
  },
  TaskEvent: {
    TaskStarted: ['OK', 'Task %1 began.'],
    TaskCompletedOK: ['OK', 'Task %1 is done.'],
    TaskAborted: ['Critical', 'Task %1 failed.'],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Entry>>>>;

export type EventRegistry = keyof typeof EVENT_REGISTRIES;

const VERSIONS: Readonly<Record<EventRegistry, string>> = {
  ResourceEvent: '1.3.0',
  TaskEvent: '1.0.3',
};

export const EVENT_REGISTRY_NAMES: readonly EventRegistry[] = ['ResourceEvent', 'TaskEvent'];

/** As a MessageId has it: without the number of the errata. */
export const versionOf = (registry: EventRegistry): string =>
  VERSIONS[registry].split('.').slice(0, 2).join('.');

export const fullVersionOf = (registry: EventRegistry): string => VERSIONS[registry];

export const eventRegistryMessages = (registry: EventRegistry): Json =>
  Object.fromEntries(
    Object.entries(EVENT_REGISTRIES[registry]).map(([name, [severity, text]]) => [
      name,
      {
        Description: text.replace('%1', 'It'),
        Message: text,
        Severity: severity,
        MessageSeverity: severity,
        ...(text.includes('%1')
          ? { NumberOfArgs: 1, ParamTypes: ['string'] }
          : { NumberOfArgs: 0 }),
        Resolution: 'None.',
      },
    ]),
  );
