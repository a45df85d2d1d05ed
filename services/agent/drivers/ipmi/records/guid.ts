/**
 * The machine's UUID from its GUID. IPMI 2.0 §20.8 sends all sixteen bytes in reverse; some makers
 * send them in the order of RFC 9562, some in that of SMBIOS (first three fields little-endian).
 * Only a quirk knows; else the first order in which it looks like a UUID is taken, the
 * specification's own first. https://github.com/ipmitool/ipmitool/issues/25
 */
export type GuidOrder = 'ipmi' | 'smbios' | 'rfc';

const ORDERS: Readonly<Record<GuidOrder, (bytes: Buffer) => Buffer>> = {
  ipmi: (bytes) => Buffer.from(bytes.toReversed()),
  smbios: (bytes) =>
    Buffer.concat([
      ...[bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8)].map((field) =>
        Buffer.from(field.toReversed()),
      ),
      bytes.subarray(8),
    ]),
  rfc: (bytes) => Buffer.from(bytes),
};

const GUID_BYTES = 16;
const CANDIDATES: readonly GuidOrder[] = ['ipmi', 'rfc', 'smbios'];

/** Empty where it says nothing: all zeros, all ones, a counting pattern. */
export const uuidOf = (guid: Buffer, known?: GuidOrder): string => {
  if (guid.length < GUID_BYTES) return '';
  const bytes = guid.subarray(0, GUID_BYTES);
  if (isEmpty(bytes)) return '';
  const order = known ?? CANDIDATES.find((one) => isUuid(ORDERS[one](bytes))) ?? 'ipmi';
  return textOf(ORDERS[order](bytes));
};

/** Version 1 to 8 and the variant of RFC 9562 §4. */
const isUuid = (bytes: Buffer): boolean => {
  const version = bytes.readUInt8(6) >> 4;
  return version >= 1 && version <= 8 && bytes.readUInt8(8) >> 6 === 0b10;
};

const isEmpty = (bytes: Buffer): boolean => {
  const first = bytes.readUInt8(0);
  const isConstant = bytes.every((byte) => byte === first);
  const isCounting = bytes.every((byte, index) => byte === ((first + index) & 0xff));
  return isConstant || isCounting || PLACEHOLDERS.has(bytes.toString('hex'));
};

/** UUIDs that whole series of boards share. */
const PLACEHOLDERS = new Set([
  // American Megatrends' sample, in the orders of SMBIOS and RFC 9562.
  '00020003000400050006000700080009',
  '03000200040005000006000700080009',
]);

const textOf = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
