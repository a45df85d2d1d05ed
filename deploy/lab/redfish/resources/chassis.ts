import type { LabContext, Route } from '../context.ts';
import { type Json, link, links } from '../message.ts';
import { indicatorOf, patchOnlyIndicator } from './indicator.ts';
import { CHASSIS, MANAGER, ROOT, SYSTEM } from './paths.ts';
import { collection, HEALTHY, resource } from './shape.ts';

const chassisOf = (context: LabContext): Json => {
  const { server, personality } = context;
  const { hardware } = server;
  return resource('Chassis', CHASSIS, {
    Name: 'Chassis',
    ChassisType: 'RackMount',
    Manufacturer: hardware.vendor,
    Model: hardware.model,
    SerialNumber: hardware.serialNumber,
    PowerState: server.power() === 'off' ? 'Off' : 'On',
    Status: HEALTHY,
    ...indicatorOf(context),
    ...(personality.sensors === 'old'
      ? { Thermal: link(`${CHASSIS}/Thermal`), Power: link(`${CHASSIS}/Power`) }
      : {
          Sensors: link(`${CHASSIS}/Sensors`),
          ThermalSubsystem: link(`${CHASSIS}/ThermalSubsystem`),
          PowerSubsystem: link(`${CHASSIS}/PowerSubsystem`),
          Thermal: link(`${CHASSIS}/Thermal`),
          Power: link(`${CHASSIS}/Power`),
        }),
    ...(personality.inventory === 'old'
      ? { NetworkAdapters: link(`${CHASSIS}/NetworkAdapters`) }
      : {}),
    Links: { ComputerSystems: links([SYSTEM]), ManagedBy: links([MANAGER]) },
  });
};

export const CHASSIS_ROUTES: readonly Route[] = [
  {
    path: `${ROOT}/Chassis`,
    get: () => collection('Chassis', `${ROOT}/Chassis`, { name: 'Chassis', ids: ['1'] }),
  },
  { path: CHASSIS, get: chassisOf, patch: patchOnlyIndicator },
];
