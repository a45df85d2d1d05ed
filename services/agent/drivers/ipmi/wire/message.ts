/**
 * The IPMI message: who asks whom, network function, command, data and two checksums, the same
 * inside every kind of session (IPMI 2.0 §13.8, figure 13-4).
 */
export type IpmiRequest = {
  /** Even: a request's network function, 0 … 62. */
  readonly netFn: number;
  readonly command: number;
  readonly data: Uint8Array;
  /** Logical unit of the responder; 0 when absent. */
  readonly lun?: number;
};

export type IpmiResponse = {
  /** 0 = done; else why not, see completion-code.ts. */
  readonly code: number;
  readonly data: Buffer;
};

export type AddressedRequest = IpmiRequest & {
  /** 0 … 63; the response carries the same. */
  readonly sequence: number;
  readonly responder: number;
  readonly requester: number;
  readonly requesterLun: number;
};

export type AddressedResponse = IpmiResponse & {
  readonly netFn: number;
  readonly command: number;
  readonly sequence: number;
};

export const BMC_ADDRESS = 0x20;
/** Software id of a remote console (§5.5, table 5-4). */
export const CONSOLE_ADDRESS = 0x81;

const OVERHEAD_BYTES = 7;

export const encodeRequest = (request: IpmiRequest, sequence: number): Buffer =>
  frame(
    [BMC_ADDRESS, (request.netFn << 2) | (request.lun ?? 0)],
    [CONSOLE_ADDRESS, (sequence << 2) & 0xff, request.command],
    request.data,
  );

/** Undefined when it is cut off or a checksum is wrong. */
export const decodeRequest = (bytes: Buffer): AddressedRequest | undefined => {
  const parts = parse(bytes);
  if (parts === undefined || (parts.netFn & 1) !== 0) return undefined;
  const { first, second, netFn, lun, sequence, command, data } = parts;
  const requesterLun = parts.otherLun;
  return { responder: first, requester: second, requesterLun, netFn, lun, sequence, command, data };
};

export const encodeResponse = (request: AddressedRequest, response: IpmiResponse): Buffer =>
  frame(
    [request.requester, ((request.netFn | 1) << 2) | request.requesterLun],
    [request.responder, (request.sequence << 2) | (request.lun ?? 0), request.command],
    Buffer.concat([Buffer.from([response.code]), response.data]),
  );

/** Undefined when it is cut off, a checksum is wrong or it is no response. */
export const decodeResponse = (bytes: Buffer): AddressedResponse | undefined => {
  const parts = parse(bytes);
  if (parts === undefined || (parts.netFn & 1) === 0) return undefined;
  const { netFn, sequence, command, data } = parts;
  const code = data[0];
  if (code === undefined) return undefined;
  return { netFn: netFn & ~1, command, sequence, code, data: data.subarray(1) };
};

const frame = (head: readonly number[], middle: readonly number[], data: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(OVERHEAD_BYTES + data.length);
  bytes.set(head, 0);
  bytes[2] = checksum(bytes.subarray(0, 2));
  bytes.set(middle, 3);
  bytes.set(data, 6);
  bytes[bytes.length - 1] = checksum(bytes.subarray(3, -1));
  return bytes;
};

const parse = (bytes: Buffer) => {
  if (bytes.length < OVERHEAD_BYTES) return undefined;
  if (checksum(bytes.subarray(0, 3)) !== 0 || checksum(bytes.subarray(3)) !== 0) return undefined;
  const address = bytes.readUInt8(1);
  const source = bytes.readUInt8(4);
  return {
    first: bytes.readUInt8(0),
    netFn: address >> 2,
    lun: address & 3,
    second: bytes.readUInt8(3),
    sequence: source >> 2,
    otherLun: source & 3,
    command: bytes.readUInt8(5),
    data: bytes.subarray(6, -1),
  };
};

/** Two's complement of the sum; over bytes that end with it the sum is 0. */
export const checksum = (bytes: Uint8Array): number => {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
};
