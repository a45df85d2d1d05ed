/**
 * The inventory of field replaceable unit 0 (IPMI FRU Information Storage Definition 1.0 rev 1.3).
 * What does not add up is left out; a broken area hides no other one.
 */
import { checksum } from '../wire/message.ts';
import { decodeText } from './sensor-record.ts';

export type FruFacts = {
  readonly vendor: string;
  readonly model: string;
  readonly serialNumber: string;
};

/** Where the areas lie, in bytes; 0 = there is none. */
export type FruHeader = { readonly board: number; readonly product: number };

export const FRU_HEADER_BYTES = 8;
export const AREA_HEADER_BYTES = 2;
const UNIT = 8;
const FIELDS_MAX = 32;
const END_OF_FIELDS = 0xc1;
/** Version, length, language; the board has its date of manufacture after them. */
const PRODUCT_FIELDS_AT = 3;
const BOARD_FIELDS_AT = 6;

/** Undefined where its checksum is wrong or its format is another one. */
export const decodeFruHeader = (bytes: Buffer): FruHeader | undefined => {
  if (bytes.length < FRU_HEADER_BYTES || (bytes.readUInt8(0) & 0x0f) !== 1) return undefined;
  const header = bytes.subarray(0, FRU_HEADER_BYTES);
  if (checksum(header) !== 0) return undefined;
  return { board: header.readUInt8(3) * UNIT, product: header.readUInt8(4) * UNIT };
};

/** How many bytes an area has, from its first two. */
export const areaBytes = (head: Buffer): number => (head[1] ?? 0) * UNIT;

export const decodeProductArea = (area: Buffer): FruFacts => {
  // Manufacturer, name, part number, version, serial number.
  const [vendor = '', model = '', , , serialNumber = ''] = fieldsOf(area, PRODUCT_FIELDS_AT);
  return { vendor, model, serialNumber };
};

export const decodeBoardArea = (area: Buffer): FruFacts => {
  const [vendor = '', model = '', serialNumber = ''] = fieldsOf(area, BOARD_FIELDS_AT);
  return { vendor, model, serialNumber };
};

const fieldsOf = (area: Buffer, start: number): readonly string[] => {
  const fields: string[] = [];
  if (checksum(area) !== 0) return fields;
  for (let at = start; at < area.length - 1 && fields.length < FIELDS_MAX; ) {
    const head = area.readUInt8(at);
    if (head === END_OF_FIELDS) break;
    const end = at + 1 + (head & 0x3f);
    fields.push(decodeText(head >> 6, area.subarray(at + 1, end)));
    at = end;
  }
  return fields;
};

/** What boards have in fields that nobody has filled in. */
const PLACEHOLDERS =
  /^(?:0+|x+|-+|\.+|to be filled.*|default string|not (?:specified|available|applicable)|n\/?a|none|unknown|empty|oem|system (?:manufacturer|product name|serial number)|1234567890?|0123456789)$/i;

export const isPlaceholder = (text: string): boolean => text === '' || PLACEHOLDERS.test(text);
