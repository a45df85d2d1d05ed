/**
 * The session header around a payload, in both formats: IPMI 1.5 for what is asked before there is
 * a session, RMCP+ for everything else (IPMI 2.0 §13.6, table 13-8).
 */
export const PAYLOAD = {
  ipmi: 0x00,
  sol: 0x01,
  openSessionRequest: 0x10,
  openSessionResponse: 0x11,
  rakp1: 0x12,
  rakp2: 0x13,
  rakp3: 0x14,
  rakp4: 0x15,
} as const;

export type PlainPacket = {
  readonly kind: 'ipmi15';
  readonly sequence: number;
  readonly sessionId: number;
  readonly payload: Buffer;
};

export type RmcpPlusPacket = {
  readonly kind: 'rmcp+';
  readonly payloadType: number;
  readonly encrypted: boolean;
  readonly authenticated: boolean;
  readonly sessionId: number;
  readonly sequence: number;
  readonly payload: Buffer;
  /** From the authentication type on: what an authentication code at its end covers. */
  readonly whole: Buffer;
};

export type Packet = PlainPacket | RmcpPlusPacket;

const AUTHENTICATION_NONE = 0x00;
const FORMAT_RMCP_PLUS = 0x06;
const PLAIN_HEADER_BYTES = 10;
const PLAIN_CODE_BYTES = 16;
export const RMCP_PLUS_HEADER_BYTES = 12;
const OEM_PAYLOAD = 0x02;
const ENCRYPTED = 0x80;
const AUTHENTICATED = 0x40;

/** Of the body of an RMCP packet. Undefined for what is cut off or carries an OEM payload. */
export const decodePacket = (body: Buffer): Packet | undefined => {
  const format = body[0];
  if (format === undefined) return undefined;
  return format === FORMAT_RMCP_PLUS ? decodeRmcpPlus(body) : decodePlain(body, format);
};

const decodePlain = (body: Buffer, authentication: number): PlainPacket | undefined => {
  const codeBytes = authentication === AUTHENTICATION_NONE ? 0 : PLAIN_CODE_BYTES;
  const start = PLAIN_HEADER_BYTES + codeBytes;
  if (body.length < start) return undefined;
  const length = body.readUInt8(start - 1);
  if (body.length < start + length) return undefined;
  return {
    kind: 'ipmi15',
    sequence: body.readUInt32LE(1),
    sessionId: body.readUInt32LE(5),
    payload: body.subarray(start, start + length),
  };
};

const decodeRmcpPlus = (body: Buffer): RmcpPlusPacket | undefined => {
  if (body.length < RMCP_PLUS_HEADER_BYTES) return undefined;
  const type = body.readUInt8(1);
  // Its header is longer, and we offer no OEM payload.
  if ((type & 0x3f) === OEM_PAYLOAD) return undefined;
  const length = body.readUInt16LE(10);
  if (body.length < RMCP_PLUS_HEADER_BYTES + length) return undefined;
  return {
    kind: 'rmcp+',
    payloadType: type & 0x3f,
    encrypted: (type & ENCRYPTED) !== 0,
    authenticated: (type & AUTHENTICATED) !== 0,
    sessionId: body.readUInt32LE(2),
    sequence: body.readUInt32LE(6),
    payload: body.subarray(RMCP_PLUS_HEADER_BYTES, RMCP_PLUS_HEADER_BYTES + length),
    whole: body,
  };
};

/** Before there is a session: no authentication, sequence 0, session 0. */
export const encodePlain = (payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(PLAIN_HEADER_BYTES);
  header.writeUInt8(payload.length, PLAIN_HEADER_BYTES - 1);
  return Buffer.concat([header, payload]);
};

export type RmcpPlusHeader = {
  readonly payloadType: number;
  readonly sessionId: number;
  readonly sequence: number;
  readonly sealed: boolean;
};

/** Header and payload without a trailer. */
export const encodeRmcpPlus = (header: RmcpPlusHeader, payload: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(RMCP_PLUS_HEADER_BYTES);
  bytes.writeUInt8(FORMAT_RMCP_PLUS, 0);
  bytes.writeUInt8(header.payloadType | (header.sealed ? ENCRYPTED | AUTHENTICATED : 0), 1);
  bytes.writeUInt32LE(header.sessionId, 2);
  bytes.writeUInt32LE(header.sequence, 6);
  bytes.writeUInt16LE(payload.length, 10);
  return Buffer.concat([bytes, payload]);
};
