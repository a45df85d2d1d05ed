import type { LabSensor } from '../../server-port.ts';
import type { LabContext, Route } from '../context.ts';
import type { Json } from '../message.ts';
import { CHASSIS } from './paths.ts';
import { healthOf, isNew } from './sensors.ts';
import { collection, idOf, resource } from './shape.ts';

/** A supply behind each sensor of power: `PSU1 Power` is what PSU1 gives. */
export const POWER_SUPPLIES = `${CHASSIS}/PowerSubsystem/PowerSupplies`;

type Supply = { readonly name: string; readonly sensor: LabSensor };

export const suppliesOf = ({ server }: Pick<LabContext, 'server'>): readonly Supply[] =>
  server
    .sensors()
    .filter(({ kind }) => kind === 'power')
    .map((sensor) => ({ name: sensor.name.replace(/ Power$/, ''), sensor }));

/** As each of them is told in both resources. */
export const supplyBase = ({ name, sensor }: Supply): Json => ({
  Name: name,
  PowerSupplyType: 'AC',
  PowerCapacityWatts: sensor.upperCritical,
  Status: { State: 'Enabled', Health: healthOf(sensor) },
});

const supplyAt = (context: LabContext, id: string): Json | undefined => {
  const supply = isNew(context)
    ? suppliesOf(context).find(({ name }) => idOf(name) === id)
    : undefined;
  return supply === undefined
    ? undefined
    : resource('PowerSupply', `${POWER_SUPPLIES}/${id}`, supplyBase(supply));
};

export const POWER_SUPPLY_ROUTES: readonly Route[] = [
  {
    path: POWER_SUPPLIES,
    get: (context) =>
      isNew(context)
        ? collection('PowerSupply', POWER_SUPPLIES, {
            name: 'Power supplies',
            ids: suppliesOf(context).map(({ name }) => idOf(name)),
          })
        : undefined,
  },
  { path: `${POWER_SUPPLIES}/{id}`, get: (context, { id }) => supplyAt(context, id) },
];
