import type { LabSensor } from '../../server-port.ts';
import type { LabContext, Route } from '../context.ts';
import type { Json } from '../message.ts';
import { CHASSIS } from './paths.ts';
import { suppliesOf, supplyBase } from './power-supplies.ts';
import { healthOf } from './sensors.ts';
import { resource } from './shape.ts';

/** Thermal and Power: deprecated since 2020.4, and still all that most firmware has. */
const THERMAL = `${CHASSIS}/Thermal`;
const POWER = `${CHASSIS}/Power`;

const ofKind = ({ server }: LabContext, kind: LabSensor['kind']): readonly LabSensor[] =>
  server.sensors().filter((sensor) => sensor.kind === kind);

const member = (path: string, array: string, index: number): Json => ({
  '@odata.id': `${path}#/${array}/${index}`,
  MemberId: String(index),
});

const statusOf = (sensor: LabSensor): Json => ({ State: 'Enabled', Health: healthOf(sensor) });

const thermalOf = (context: LabContext): Json =>
  resource('Thermal', THERMAL, {
    Name: 'Thermal',
    Temperatures: ofKind(context, 'temperature').map((sensor, index) => ({
      ...member(THERMAL, 'Temperatures', index),
      Name: sensor.name,
      ReadingCelsius: sensor.value,
      UpperThresholdCritical: sensor.upperCritical,
      Status: statusOf(sensor),
    })),
    Fans: ofKind(context, 'fan').map((sensor, index) => ({
      ...member(THERMAL, 'Fans', index),
      Name: sensor.name,
      Reading: Math.round(sensor.value),
      ReadingUnits: 'RPM',
      UpperThresholdCritical: Math.round(sensor.upperCritical),
      Status: statusOf(sensor),
    })),
  });

const powerOf = (context: LabContext): Json =>
  resource('Power', POWER, {
    Name: 'Power',
    PowerControl: ofKind(context, 'power').map((sensor, index) => ({
      ...member(POWER, 'PowerControl', index),
      Name: sensor.name,
      PowerConsumedWatts: sensor.value,
      PowerCapacityWatts: sensor.upperCritical,
      Status: statusOf(sensor),
    })),
    Voltages: ofKind(context, 'voltage').map((sensor, index) => ({
      ...member(POWER, 'Voltages', index),
      Name: sensor.name,
      ReadingVolts: sensor.value,
      UpperThresholdCritical: sensor.upperCritical,
      Status: statusOf(sensor),
    })),
    PowerSupplies: suppliesOf(context).map((supply, index) => ({
      ...member(POWER, 'PowerSupplies', index),
      ...supplyBase(supply),
      LastPowerOutputWatts: supply.sensor.value,
    })),
  });

export const THERMAL_POWER_ROUTES: readonly Route[] = [
  { path: THERMAL, get: thermalOf },
  { path: POWER, get: powerOf },
];
