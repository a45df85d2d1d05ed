/**
 * The inventory that the controller reads from an EEPROM: common header, board and product area
 * (IPMI FRU Information Storage Definition 1.0 rev 1.3, §8, §11, §12).
 */
import { checksum } from '../../../services/agent/drivers/ipmi/wire/message.ts';
import type { LabHardware } from '../server-port.ts';

export type FruImage = Buffer;

const ENGLISH = 25;
const EIGHT_BIT_TEXT = 0xc0;
const END_OF_FIELDS = 0xc1;
const FIELD_BYTES_MAX = 0x3f;
const UNIT = 8;

export const fruImage = (hardware: LabHardware): FruImage => {
  const { vendor, model, serialNumber, name, biosVersion } = hardware;
  const noDate = Buffer.alloc(3);
  const board = area(noDate, [vendor, `${model} Board`, `${serialNumber}-B`, 'MB1', '']);
  const product = area(Buffer.alloc(0), [
    ...[vendor, model, 'SRV-1', biosVersion, serialNumber, name, ''],
  ]);
  const header = Buffer.alloc(UNIT);
  header[0] = 1;
  header[3] = 1;
  header[4] = 1 + board.length / UNIT;
  header[7] = checksum(header.subarray(0, 7));
  const image = Buffer.concat([header, board, product]);
  // An EEPROM is larger than what is written on it.
  return Buffer.concat([image, Buffer.alloc(256 - (image.length % 256), 0xff)]);
};

const area = (before: Buffer, fields: readonly string[]): Buffer => {
  const body = Buffer.concat([
    ...[Buffer.from([1, 0, ENGLISH]), before],
    ...fields.map(field),
    Buffer.from([END_OF_FIELDS]),
  ]);
  const length = Math.ceil((body.length + 1) / UNIT) * UNIT;
  const bytes = Buffer.alloc(length);
  bytes.set(body);
  bytes[1] = length / UNIT;
  bytes[length - 1] = checksum(bytes.subarray(0, -1));
  return bytes;
};

/** One byte of that type would be the end mark, so a single character is followed by a blank. */
const field = (text: string): Buffer => {
  const padded = text.length === 1 ? `${text} ` : text;
  const bytes = Buffer.from(padded, 'latin1').subarray(0, FIELD_BYTES_MAX);
  return Buffer.concat([Buffer.from([EIGHT_BIT_TEXT | bytes.length]), bytes]);
};
