import type { IndicatorAspect, Offer } from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import type { Place } from './place.ts';
import { at, flagAt, type Resource, textAt } from './resource.ts';

/** The light that finds a machine: LocationIndicatorActive, before 2020.4 IndicatorLED. */
export const offerIndicator = (place: Place): Offer<IndicatorAspect> => {
  const { client, systemLink, system } = place;
  const property = ['LocationIndicatorActive', 'IndicatorLED'].find(
    (name) => at(system, name) !== undefined && at(system, name) !== null,
  );
  if (property === undefined) {
    const why = 'The system has neither LocationIndicatorActive nor IndicatorLED';
    return { kind: 'not_offered', why };
  }
  const read = async (signal: AbortSignal): Promise<boolean> =>
    isLit(await client.get(systemLink, signal), property);
  const set = async (lit: boolean, signal: AbortSignal): Promise<void> => {
    const now = await client.get(systemLink, signal);
    // Some take Blinking only.
    const on = textAt(now, 'IndicatorLED') === 'Lit' ? 'Lit' : 'Blinking';
    const value = property === 'IndicatorLED' ? (lit ? on : 'Off') : lit;
    await client.patch(now, { [property]: value }, signal);
    await seen(
      place,
      {
        what: `indicator ${lit ? 'on' : 'off'}`,
        read: () => read(signal),
        isSo: (shown) => shown === lit,
        tell: (shown) => `it is ${shown ? 'on' : 'off'}`,
      },
      signal,
    );
  };
  return { kind: 'offered', aspect: { read, set }, how: `PATCH ${systemLink}, ${property}` };
};

const isLit = (system: Resource, property: string): boolean =>
  flagAt(system, property) ?? ['Lit', 'Blinking'].includes(textAt(system, property));
