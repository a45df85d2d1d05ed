import { type BiosAspect, BmcError, type Offer } from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import type { Call } from './exchange.ts';
import { failureOf } from './messages.ts';
import type { Place } from './place.ts';
import { asResource, at, linkAt, type Resource, textAt, textsAt } from './resource.ts';

/** BIOS attributes: read where they hold, written where they wait (DSP0266, settings resource). */
export const offerBios = (place: Place): Offer<BiosAspect> => {
  const { client } = place;
  const link = linkAt(place.system, 'Bios');
  if (link === '') return { kind: 'not_offered', why: 'The system has no link Bios' };
  const read = async (signal: AbortSignal) => attributesIn(await client.get(link, signal));
  const set = async (wanted: Attributes, signal: AbortSignal): Promise<void> => {
    const bios = await client.get(link, signal);
    const waiting = linkAt(bios, '@Redfish.Settings', 'SettingsObject') || link;
    const settings = waiting === link ? bios : await client.get(waiting, signal);
    checkNames(wanted, attributesIn(bios));
    const applyTime = applyTimeOf(bios);
    await client.stage(settings, { Attributes: Object.fromEntries(wanted), ...applyTime }, signal);
    const isScheduled = Object.keys(applyTime).length > 0;
    if (place.rules.biosJob === 'needed' && !isScheduled) await makeJob(place, waiting, signal);
    await seen(
      place,
      {
        what: `BIOS attributes ${[...wanted.keys()].join(', ')}`,
        // Some show only what differs there, and some move it to the attributes at once.
        read: async () =>
          new Map([...(await read(signal)), ...attributesIn(await client.get(waiting, signal))]),
        isSo: (shown) => differing(wanted, shown).length === 0,
        tell: (shown) => `others of ${differing(wanted, shown).join(', ')}`,
      },
      signal,
    );
  };
  return { kind: 'offered', aspect: { read, set }, how: `PATCH the settings of ${link}` };
};

/** Its work is done at the next boot, so its end is not waited for. */
const makeJob = async (
  { client, manager }: Place,
  settings: string,
  signal: AbortSignal,
): Promise<void> => {
  const known = linkAt(manager, 'Links', 'Oem', 'Dell', 'Jobs');
  const link = known || `${textAt(manager, '@odata.id').replace(/\/+$/, '')}/Jobs`;
  const call: Call = { method: 'POST', link, body: { TargetSettingsURI: settings } };
  const { status, body } = await client.send(call, signal);
  if (status >= 400) throw failureOf({ ...call, status, body });
};

type Attributes = ReadonlyMap<string, string | number | boolean>;

const attributesIn = (resource: Resource): Attributes => {
  const found = new Map<string, string | number | boolean>();
  for (const [name, value] of Object.entries(asResource(at(resource, 'Attributes')))) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      found.set(name, value);
    }
  }
  return found;
};

/**
 * Where a service lets one choose, it may apply nothing unless it was told when (DSP0266, settings
 * apply time; iDRAC).
 */
const applyTimeOf = (bios: Resource): Resource =>
  textsAt(bios, '@Redfish.Settings', 'SupportedApplyTimes').includes('OnReset')
    ? {
        '@Redfish.SettingsApplyTime': {
          '@odata.type': '#Settings.v1_1_0.PreferredApplyTime',
          ApplyTime: 'OnReset',
        },
      }
    : {};

const checkNames = (wanted: Attributes, known: Attributes): void => {
  const name = [...wanted.keys()].find((one) => !known.has(one));
  if (name === undefined) return;
  throw new BmcError('unsupported', `The BIOS has no attribute "${name}"`);
};

const differing = (wanted: Attributes, shown: Attributes): readonly string[] =>
  [...wanted].filter(([name, value]) => shown.get(name) !== value).map(([name]) => name);
