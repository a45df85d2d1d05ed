/**
 * The records that describe the sensors, read once and kept until the controller says that they
 * changed (IPMI 2.0 §33.9 to §33.12; §35.2 to §35.4 for controllers that keep them in the device).
 */
import { BmcError } from '../../../bmc-port.ts';
import { sensorKey } from '../records/log-record.ts';
import {
  bodyBytesOf,
  decodeSensorRecord,
  RECORD_HEADER_BYTES,
  type SensorRecord,
} from '../records/sensor-record.ts';
import { CODE, completionError } from '../wire/completion-code.ts';
import { createPartSize } from './in-parts.ts';
import type { Place } from './place.ts';

export type SensorRepository = {
  readonly read: (signal: AbortSignal) => Promise<readonly SensorRecord[]>;
  /** By owner and number, as the log names them; empty where they cannot be read. */
  readonly byKey: (signal: AbortSignal) => Promise<ReadonlyMap<string, SensorRecord>>;
};

type Commands = {
  readonly netFn: number;
  readonly reserve: number;
  readonly get: number;
};

const REPOSITORY: Commands = { netFn: 0x0a, reserve: 0x22, get: 0x23 };
const DEVICE: Commands = { netFn: 0x04, reserve: 0x22, get: 0x21 };
const GET_REPOSITORY_INFO = { netFn: 0x0a, command: 0x20, data: Buffer.alloc(0) } as const;
const FIRST = 0x0000;
const END = 0xffff;
/** More than any controller has. */
const RECORDS_MAX = 4_096;
const RESERVATIONS_MAX = 8;
const WHAT = 'to tell what sensors it has';

type SensorPlace = {
  readonly link: Pick<Place['link'], 'provider' | 'ask'>;
  readonly deviceId: Pick<Place['deviceId'], 'hasSensorRepository'>;
};

export const createSensorRepository = (place: SensorPlace): SensorRepository => {
  const { link } = place;
  const isRepository = place.deviceId.hasSensorRepository;
  let kept: readonly SensorRecord[] | undefined;
  let keptStamp = '';

  /** Counts and times of the last changes. */
  const stampOf = async (signal: AbortSignal): Promise<string> => {
    if (!isRepository) return '';
    const { code, data } = await link.ask(GET_REPOSITORY_INFO, signal);
    return code === 0 ? data.toString('hex') : '';
  };

  const read = async (signal: AbortSignal): Promise<readonly SensorRecord[]> => {
    const stamp = await stampOf(signal);
    if (kept !== undefined && stamp === keptStamp) return kept;
    const all = await readAll(place, isRepository ? REPOSITORY : DEVICE, signal);
    // What could not be read now may be read the next time.
    kept = all.isWhole ? all.records : undefined;
    keptStamp = stamp;
    return all.records;
  };

  return {
    read,
    byKey: async (signal) => {
      try {
        const records = await read(signal);
        return new Map(records.map((one) => [sensorKey(one.owner, one.number), one]));
      } catch (error) {
        // A log without names is better than none.
        if (error instanceof BmcError && !signal.aborted) return new Map();
        throw error;
      }
    },
  };
};

/**
 * What some answer for a single record that they list and cannot give (PowerEdge FC830: the last
 * one times out), where all others can be read.
 */
const CANNOT_GIVE: ReadonlySet<number> = new Set([
  ...[CODE.timeout, CODE.notPresent, CODE.invalidField, CODE.cannotRespond],
  0xff,
]);

/** `isWhole`: no record was left out. */
type Records = { readonly records: readonly SensorRecord[]; readonly isWhole: boolean };

const readAll = async (
  { link }: Pick<SensorPlace, 'link'>,
  commands: Commands,
  signal: AbortSignal,
): Promise<Records> => {
  const { netFn } = commands;
  const size = createPartSize();
  const found: SensorRecord[] = [];
  let isWhole = true;
  let reservations = 0;
  let reservation = Buffer.alloc(2);

  const reserve = async (): Promise<void> => {
    reservations += 1;
    if (reservations > RESERVATIONS_MAX) {
      const message = `Sensors of provider "${link.provider}" change faster than they can be read`;
      throw new BmcError('busy', message);
    }
    const asked = { netFn, command: commands.reserve, data: Buffer.alloc(0) };
    const { code, data } = await link.ask(asked, signal);
    // Some need none and know none.
    reservation = code === 0 ? Buffer.from(data.subarray(0, 2)) : Buffer.alloc(2);
  };

  const part = (id: number, offset: number, count: number) => {
    const data = Buffer.from([...reservation, id & 0xff, id >> 8, offset, count]);
    return link.ask({ netFn, command: commands.get, data }, signal);
  };

  const record = async (id: number): Promise<{ next: number; bytes: Buffer }> => {
    let next = END;
    let bytes = Buffer.alloc(0);
    let total = RECORD_HEADER_BYTES;
    while (bytes.length < total) {
      const count = Math.min(total - bytes.length, size.bytes());
      const { code, data } = await part(id, bytes.length, count);
      if (code === CODE.reservationLost) {
        await reserve();
        bytes = Buffer.alloc(0);
        total = RECORD_HEADER_BYTES;
      } else if (code !== 0) {
        if (size.isTooLarge(code)) continue;
        const isAlone = found.length > 0 && CANNOT_GIVE.has(code);
        if (!isAlone) throw completionError(link.provider, WHAT, code);
        isWhole = false;
        return { next, bytes: Buffer.alloc(0) };
      } else {
        const got = data.subarray(2, 2 + count);
        if (got.length === 0) break;
        next = data.readUInt16LE(0);
        bytes = Buffer.concat([bytes, got]);
        if (bytes.length >= RECORD_HEADER_BYTES) total = RECORD_HEADER_BYTES + bodyBytesOf(bytes);
      }
    }
    return { next, bytes };
  };

  await reserve();
  const seen = new Set<number>();
  for (let id = FIRST; id !== END && !seen.has(id) && seen.size < RECORDS_MAX; ) {
    seen.add(id);
    const { next, bytes } = await record(id);
    found.push(...decodeSensorRecord(bytes));
    id = next;
  }
  return { records: found, isWhole };
};
