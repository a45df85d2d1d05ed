import { BmcError, type LogAspect, type LogEntry, type Offer } from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import { actionOf } from './action.ts';
import type { Place } from './place.ts';
import { isWhole, linkAt, type Resource, textAt } from './resource.ts';

/** Log services of the machine, else those of its controller (DSP0268, LogService). */
export const offerLog = (place: Place): Offer<LogAspect> => {
  const owners = [linkAt(place.system, 'LogServices'), linkAt(place.manager, 'LogServices')];
  const links = owners.filter((link) => link !== '');
  if (links.length === 0) {
    return { kind: 'not_offered', why: 'Neither the system nor its manager has LogServices' };
  }
  const read = async (newest: number, signal: AbortSignal): Promise<readonly LogEntry[]> => {
    const service = await serviceOf(place, links, signal);
    const entries = await newestOf(place, { link: linkAt(service, 'Entries'), newest }, signal);
    const sorted = entries.map(entryOf).toSorted(byTime);
    return sorted.slice(Math.max(sorted.length - newest, 0));
  };
  const clear = async (signal: AbortSignal): Promise<void> => {
    const service = await serviceOf(place, links, signal);
    const action = actionOf(service, '#LogService.ClearLog', place);
    if (action === undefined) {
      throw new BmcError('unsupported', `${textAt(service, '@odata.id')} cannot be cleared`);
    }
    const before = await idsOf(place, service, signal);
    await place.client.post(action.target, {}, signal);
    await seen(
      place,
      {
        // Many log that they were cleared, so only what stood there before must be gone.
        what: 'clearing the log',
        read: () => idsOf(place, service, signal),
        isSo: (left) => left.size === 0 || [...before].some((one) => !left.has(one)),
        tell: (left) => `${left.size} entries are there`,
      },
      signal,
    );
  };
  return { kind: 'offered', aspect: { read, clear }, how: `Log services below ${links[0]}` };
};

/** Names of logs that tell of the hardware, in the order in which they are wanted. */
const PREFERRED = /^(?:sel|event-?log|iml|log1|standardlog)$/i;

const serviceOf = async (
  { client }: Place,
  links: readonly string[],
  signal: AbortSignal,
): Promise<Resource> => {
  for (const link of links) {
    const services = (await client.members(link, signal)).filter(
      (one) => linkAt(one, 'Entries') !== '',
    );
    const found = services.find((one) => PREFERRED.test(textAt(one, 'Id'))) ?? services[0];
    if (found !== undefined) return found;
  }
  throw new BmcError('unsupported', 'No log service of the BMC has entries');
};

type Newest = { readonly link: string; readonly newest: number };

/**
 * Where a log lists but links, one call an entry, only those at its ends are read: some list the
 * newest first, others last.
 */
const newestOf = async (
  { client }: Place,
  { link, newest }: Newest,
  signal: AbortSignal,
): Promise<readonly Resource[]> => {
  const listed = await client.list(link, signal);
  const isNear = (_: Resource, at: number) => at < newest || at >= listed.length - newest;
  const found: Resource[] = [];
  for (const entry of listed.every(isWhole) ? listed : listed.filter(isNear)) {
    const path = textAt(entry, '@odata.id');
    // An entry may have made room for others since it was listed.
    const whole = isWhole(entry) || path === '' ? entry : await client.find(path, signal);
    if (whole !== undefined && isWhole(whole)) found.push(whole);
  }
  return found;
};

const idsOf = async (
  { client }: Place,
  service: Resource,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> => {
  const entries = await client.list(linkAt(service, 'Entries'), signal);
  // A log that was cleared counts from 1 again, so the time tells entries apart where it is known.
  return new Set(entries.map((one) => `${textAt(one, '@odata.id')} ${textAt(one, 'Created')}`));
};

const SEVERITIES: Readonly<Record<string, LogEntry['severity']>> = {
  OK: 'ok',
  Warning: 'warning',
  Critical: 'critical',
};

const entryOf = (entry: Resource): LogEntry => {
  const at = new Date(textAt(entry, 'Created'));
  return {
    id: textAt(entry, 'Id'),
    ...(isTime(at) ? { at } : {}),
    severity: SEVERITIES[textAt(entry, 'Severity')] ?? 'ok',
    message: textAt(entry, 'Message') || textAt(entry, 'MessageId') || textAt(entry, 'Name'),
  };
};

/** Clocks that were never set start in 1970. */
const isTime = (at: Date): boolean => at.getTime() > Date.UTC(1971, 0);

/** Services list the newest first or last; entries without a time go by their number. */
const byTime = (a: LogEntry, b: LogEntry): number => {
  const byClock = a.at === undefined || b.at === undefined ? 0 : a.at.getTime() - b.at.getTime();
  return byClock !== 0 ? byClock : Number(a.id) - Number(b.id) || 0;
};
