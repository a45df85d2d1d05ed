/** Vendor, model and serial number from the inventory of unit 0 (IPMI 2.0 §34.1, §34.2). */
import {
  AREA_HEADER_BYTES,
  areaBytes,
  decodeBoardArea,
  decodeFruHeader,
  decodeProductArea,
  FRU_HEADER_BYTES,
  type FruFacts,
  isPlaceholder,
} from '../records/fru.ts';
import type { Link } from '../session/link.ts';
import { createPartSize } from './in-parts.ts';

const GET_AREA_INFO = { netFn: 0x0a, command: 0x10 } as const;
const READ_DATA = { netFn: 0x0a, command: 0x11 } as const;
const UNIT_0 = 0;
const BY_WORDS = 0x01;
const NOTHING: FruFacts = { vendor: '', model: '', serialNumber: '' };

/** Empty texts where it does not say, or says what nobody has filled in. */
export const readInventory = async (link: Link, signal: AbortSignal): Promise<FruFacts> => {
  const info = await link.ask({ ...GET_AREA_INFO, data: Buffer.from([UNIT_0]) }, signal);
  if (info.code !== 0 || info.data.length < 3) return NOTHING;
  const read = reader(link, (info.data.readUInt8(2) & BY_WORDS) === 0 ? 1 : 2, signal);
  const header = decodeFruHeader(await read(0, FRU_HEADER_BYTES));
  if (header === undefined) return NOTHING;
  const area = async (at: number): Promise<Buffer> => {
    if (at === 0) return Buffer.alloc(0);
    const head = await read(at, AREA_HEADER_BYTES);
    return read(at, areaBytes(head));
  };
  const product = decodeProductArea(await area(header.product));
  const board = decodeBoardArea(await area(header.board));
  const told = (name: keyof FruFacts): string =>
    [product[name], board[name]].find((text) => !isPlaceholder(text)) ?? '';
  return { vendor: told('vendor'), model: told('model'), serialNumber: told('serialNumber') };
};

/** Fewer bytes than asked for where it ends or refuses. */
const reader = (link: Link, wordBytes: 1 | 2, signal: AbortSignal) => {
  const size = createPartSize();
  return async (start: number, length: number): Promise<Buffer> => {
    let bytes = Buffer.alloc(0);
    while (bytes.length < length) {
      const wanted = Math.min(length - bytes.length, size.bytes());
      const offset = Math.floor((start + bytes.length) / wordBytes);
      const count = Math.ceil(wanted / wordBytes);
      const data = Buffer.from([UNIT_0, offset & 0xff, offset >> 8, count]);
      const answer = await link.ask({ ...READ_DATA, data }, signal);
      if (answer.code !== 0) {
        if (size.isTooLarge(answer.code)) continue;
        break;
      }
      const got = answer.data.subarray(1, 1 + wanted);
      if (got.length === 0) break;
      bytes = Buffer.concat([bytes, got]);
    }
    return bytes;
  };
};
