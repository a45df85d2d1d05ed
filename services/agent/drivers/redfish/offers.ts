import type { Offer, Offers } from '../../bmc-port.ts';
import type { Place } from './place.ts';
import { offerPower } from './power.ts';

const notYet = <T>(): Offer<T> => ({ kind: 'not_offered', why: 'This driver does not do it' });

/** Each aspect is asked whether this service has what it needs. */
export const offersOf = (place: Place): Offers => ({
  power: offerPower(place),
  bootDevice: notYet(),
  media: notYet(),
  sensors: notYet(),
  log: notYet(),
  facts: notYet(),
  bios: notYet(),
  indicator: notYet(),
  accounts: notYet(),
  console: notYet(),
  raw: notYet(),
});
