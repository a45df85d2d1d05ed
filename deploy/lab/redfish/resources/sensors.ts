import type { LabSensor } from '../../server-port.ts';
import type { LabContext, Route } from '../context.ts';
import { type Json, link } from '../message.ts';
import { CHASSIS } from './paths.ts';
import { collection, HEALTHY, idOf, resource } from './shape.ts';

/** Sensors and the subsystems that show them (2020.4 and later). */
const SENSORS = `${CHASSIS}/Sensors`;
const THERMAL = `${CHASSIS}/ThermalSubsystem`;
const FANS = `${THERMAL}/Fans`;
const METRICS = `${THERMAL}/ThermalMetrics`;
const POWER = `${CHASSIS}/PowerSubsystem`;

const TYPES = { temperature: 'Temperature', fan: 'Rotational', voltage: 'Voltage', power: 'Power' };
const UNITS = { temperature: 'Cel', fan: '{rev}/min', voltage: 'V', power: 'W' };

export const healthOf = ({ value, upperCritical }: LabSensor): 'OK' | 'Critical' =>
  value > upperCritical ? 'Critical' : 'OK';

export const isNew = ({ personality }: LabContext): boolean => personality.sensors !== 'old';

const sensorOf = (sensor: LabSensor, path: string): Json =>
  resource('Sensor', path, {
    Name: sensor.name,
    Reading: sensor.value,
    ReadingType: TYPES[sensor.kind],
    ReadingUnits: UNITS[sensor.kind],
    Status: { State: 'Enabled', Health: healthOf(sensor) },
    Thresholds: { UpperCritical: { Reading: sensor.upperCritical } },
  });

const found = ({ server }: LabContext, id: string): LabSensor | undefined =>
  server.sensors().find(({ name }) => idOf(name) === id);

const named = ({ server }: LabContext, kind?: LabSensor['kind']): readonly string[] =>
  server
    .sensors()
    .filter((sensor) => kind === undefined || sensor.kind === kind)
    .map(({ name }) => idOf(name));

const fanOf = (sensor: LabSensor, path: string): Json =>
  resource('Fan', path, {
    Name: sensor.name,
    // No DataSourceUri: it would lead to a sensor of percent, and those here count turns.
    SpeedPercent: {
      Reading: Math.round((sensor.value / sensor.upperCritical) * 1000) / 10,
      SpeedRPM: sensor.value,
    },
    Status: { State: 'Enabled', Health: healthOf(sensor) },
  });

const thermalOf = (context: LabContext): Json | undefined =>
  isNew(context)
    ? resource('ThermalSubsystem', THERMAL, {
        Name: 'Thermal subsystem',
        Status: HEALTHY,
        Fans: link(FANS),
        ThermalMetrics: link(METRICS),
      })
    : undefined;

const metricsOf = (context: LabContext): Json | undefined =>
  isNew(context)
    ? resource('ThermalMetrics', METRICS, {
        Name: 'Thermal metrics',
        TemperatureReadingsCelsius: context.server
          .sensors()
          .filter(({ kind }) => kind === 'temperature')
          .map(({ name, value }) => ({
            DataSourceUri: `${SENSORS}/${idOf(name)}`,
            DeviceName: name,
            Reading: value,
          })),
      })
    : undefined;

const powerOf = (context: LabContext): Json | undefined =>
  isNew(context)
    ? resource('PowerSubsystem', POWER, {
        Name: 'Power subsystem',
        Status: HEALTHY,
        PowerSupplies: link(`${POWER}/PowerSupplies`),
      })
    : undefined;

export const SENSOR_ROUTES: readonly Route[] = [
  {
    path: SENSORS,
    get: (context) =>
      isNew(context)
        ? collection('Sensor', SENSORS, { name: 'Sensors', ids: named(context) })
        : undefined,
  },
  {
    path: `${SENSORS}/{id}`,
    get: (context, { id, path }) => {
      const sensor = isNew(context) ? found(context, id) : undefined;
      return sensor === undefined ? undefined : sensorOf(sensor, path);
    },
  },
  { path: THERMAL, get: thermalOf },
  {
    path: FANS,
    get: (context) =>
      isNew(context)
        ? collection('Fan', FANS, { name: 'Fans', ids: named(context, 'fan') })
        : undefined,
  },
  {
    path: `${FANS}/{id}`,
    get: (context, { id, path }) => {
      const sensor = isNew(context) ? found(context, id) : undefined;
      return sensor?.kind === 'fan' ? fanOf(sensor, path) : undefined;
    },
  },
  { path: METRICS, get: metricsOf },
  { path: POWER, get: powerOf },
];
