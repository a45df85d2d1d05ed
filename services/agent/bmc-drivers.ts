import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { BmcDriver } from './bmc-port.ts';
import { createIpmiDriver } from './drivers/ipmi/driver.ts';
import { createRedfishDriver } from './drivers/redfish/driver.ts';

type Deps = {
  readonly clock: Clock;
  readonly random: Random;
  /** How long what was written may take to be seen, in milliseconds; default 30 000. */
  readonly settleMs?: number;
};

/** The drivers for management controllers, in the order in which a controller is asked. */
export const bmcDrivers = (deps: Deps): readonly BmcDriver[] => [
  createRedfishDriver(deps),
  createIpmiDriver(deps),
];
