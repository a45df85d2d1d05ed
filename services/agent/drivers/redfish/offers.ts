import type { Offers } from '../../bmc-port.ts';
import { offerAccounts } from './accounts.ts';
import { offerBios } from './bios.ts';
import { offerBootDevice } from './boot-device.ts';
import { offerConsole } from './console.ts';
import { offerFacts } from './facts.ts';
import { offerIndicator } from './indicator.ts';
import { offerLog } from './log.ts';
import { offerMedia } from './media.ts';
import type { Place } from './place.ts';
import { offerPower } from './power.ts';
import { offerRaw } from './raw.ts';
import { offerSensors } from './sensors.ts';

/** Each aspect is asked whether this service has what it needs. */
export const offersOf = (place: Place): Offers => ({
  power: offerPower(place),
  bootDevice: offerBootDevice(place),
  media: offerMedia(place),
  sensors: offerSensors(place),
  log: offerLog(place),
  facts: offerFacts(place),
  bios: offerBios(place),
  indicator: offerIndicator(place),
  accounts: offerAccounts(place),
  console: offerConsole(place),
  raw: offerRaw(place),
});
