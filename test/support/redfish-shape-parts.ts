import type { Kind, Shape } from './redfish-shape.ts';

/** What every resource has (DSP0268, common properties). */
export const IDENTITY: Readonly<Record<string, Kind>> = {
  Id: 'text',
  Name: 'text',
  Description: 'text',
};

const HEALTHS = ['OK', 'Warning', 'Critical'];

export const STATUS: Shape = {
  properties: {
    State: ['Enabled', 'Disabled', 'StandbyOffline', 'Starting', 'Absent', 'UnavailableOffline'],
    Health: HEALTHS,
    HealthRollup: HEALTHS,
  },
};

export const resourceOf = (properties: Readonly<Record<string, Kind>>): Shape => ({
  properties: { ...IDENTITY, ...properties },
  required: ['@odata.id', '@odata.type', 'Id', 'Name'],
});
