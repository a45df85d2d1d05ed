/** The system event log (IPMI 2.0 §31). */
import { BmcError, type LogAspect, type LogEntry } from '../../../bmc-port.ts';
import { decodeLogRecord, LOG_RECORD_BYTES } from '../records/log-record.ts';
import { withDeadline } from '../session/link.ts';
import { CODE, completionError } from '../wire/completion-code.ts';
import type { Place } from './place.ts';
import type { SensorRepository } from './sensor-repository.ts';

const NETFN_STORAGE = 0x0a;
const COMMAND = { info: 0x40, reserve: 0x42, get: 0x43, clear: 0x47 } as const;
const FIRST = 0x0000;
const LAST = 0xffff;
const WHOLE_RECORD = 0xff;
const CLEAR = [...Buffer.from('CLR')];
const INITIATE = 0xaa;
const STATUS = 0x00;
const ERASED = 0x01;
const NOTHING = Buffer.alloc(0);
/** Larger logs exist, and nobody waits for them. */
const ENTRIES_MAX = 20_000;
const ERASE_LOOKS_MAX = 120;
const ERASE_LOOK_MS = 500;

type Found = { readonly next: number; readonly record: Buffer };

export const createLogAspect = (
  place: Pick<Place, 'clock' | 'link' | 'rules'>,
  repository: SensorRepository,
): LogAspect => {
  const { clock, link, rules } = place;
  const { provider } = link;
  const ask = (command: number, data: Buffer, signal: AbortSignal) =>
    link.ask({ netFn: NETFN_STORAGE, command, data }, signal);
  const call = (command: number, data: Buffer, { what, signal }: Wish) =>
    link.call({ netFn: NETFN_STORAGE, command, data }, what, signal);

  const countOf = async (signal: AbortSignal): Promise<number> => {
    const info = await call(COMMAND.info, NOTHING, { what: 'to tell of its log', signal });
    return info.length < 3 ? 0 : info.readUInt16LE(1);
  };

  /** Undefined: there is no such record. A whole record needs no reservation (§31.5). */
  const get = async (id: number, signal: AbortSignal): Promise<Found | undefined> => {
    const data = Buffer.from([0, 0, id & 0xff, id >> 8, 0, WHOLE_RECORD]);
    const answer = await ask(COMMAND.get, data, signal);
    if (answer.code === CODE.notPresent) return undefined;
    if (answer.code !== 0) throw completionError(provider, 'to read its log', answer.code);
    if (answer.data.length < 2 + LOG_RECORD_BYTES) return undefined;
    return { next: answer.data.readUInt16LE(0), record: answer.data.subarray(2) };
  };

  /**
   * Where to begin: records are linked forwards only, but most controllers count them, so the one
   * that many before the last is tried first.
   */
  const startOf = async (newest: number, count: number, signal: AbortSignal): Promise<number> => {
    if (newest >= count) return FIRST;
    const last = await get(LAST, signal);
    const id = (last?.record.readUInt16LE(0) ?? 0) - newest + 1;
    return id > 0 && (await get(id, signal)) !== undefined ? id : FIRST;
  };

  const from = async (start: number, count: number, signal: AbortSignal) => {
    const sensors = await repository.byKey(signal);
    const entries: LogEntry[] = [];
    let id = start;
    for (let steps = 0; steps < count && !(steps > 0 && id === LAST); steps += 1) {
      const found = await get(id, signal);
      if (found === undefined) break;
      const record = rules.logRecords === 'events' ? asEvent(found.record) : found.record;
      const entry = decodeLogRecord(record, sensors);
      if (entry !== undefined) entries.push(entry);
      id = found.next;
    }
    return entries;
  };

  const read = async (newest: number, signal: AbortSignal): Promise<readonly LogEntry[]> => {
    const count = Math.min(await countOf(signal), ENTRIES_MAX);
    if (count === 0 || newest <= 0) return [];
    const start = await startOf(newest, count, signal);
    const entries = await from(start, count, signal);
    // Fewer than there are: the numbers have gaps, or went round.
    const isShort = start !== FIRST && entries.length < newest;
    return (isShort ? await from(FIRST, count, signal) : entries).slice(-newest);
  };

  const clear = async (signal: AbortSignal): Promise<void> => {
    const what = 'to clear its log';
    const before = await countOf(signal);
    const last = before === 0 ? NOTHING : ((await get(LAST, signal))?.record ?? NOTHING);
    const reserved = await ask(COMMAND.reserve, NOTHING, signal);
    // Reservations are optional (§31.4); without them the number is 0.
    const reservation = reserved.code === 0 ? [...reserved.data.subarray(0, 2)] : [0, 0];
    const data = (step: number) => Buffer.from([...reservation, ...CLEAR, step]);
    let progress = await call(COMMAND.clear, data(INITIATE), { what, signal });
    for (let looks = 0; !isErased(progress) && looks < ERASE_LOOKS_MAX; looks += 1) {
      await clock.sleep(ERASE_LOOK_MS, signal);
      const answer = await ask(COMMAND.clear, data(STATUS), signal);
      // A new entry ends the reservation, and it could only be written after the erasure.
      if (answer.code !== 0) break;
      progress = answer.data;
    }
    const after = await countOf(signal);
    // One entry, such as "log area cleared", may be there already.
    const isSameLast = (await get(LAST, signal))?.record.equals(last) === true;
    if (!isSameLast && (after <= 1 || after < before)) return;
    const message = `Controller of "${provider}" cleared its log, and has ${after} entries`;
    throw new BmcError('not_applied', message);
  };

  return {
    read: (newest, signal) => withDeadline({ provider, signal }, () => read(newest, signal)),
    clear: (signal) => withDeadline({ provider, signal }, () => clear(signal)),
  };
};

type Wish = { readonly what: string; readonly signal: AbortSignal };

const isErased = (progress: Buffer): boolean => ((progress[0] ?? 0) & 0x0f) === ERASED;

const SYSTEM_EVENT = 0x02;

const asEvent = (record: Buffer): Buffer => {
  const type = record[2] ?? 0;
  if (type >= 0xc0) return record;
  const event = Buffer.from(record);
  event[2] = SYSTEM_EVENT;
  return event;
};
