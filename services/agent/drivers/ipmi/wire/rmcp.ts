/**
 * RMCP, the four bytes in front of everything on port 623, and the ASF ping that tells whether
 * anything there speaks IPMI at all (IPMI 2.0 §13.1.3, §13.2.4; ASF 2.0 §3.2.4).
 */
export const IPMI_PORT = 623;

const RMCP_VERSION = 0x06;
const CLASS_ASF = 0x06;
const CLASS_IPMI = 0x07;
/** IPMI messages are never acknowledged by RMCP itself. */
const NO_ACKNOWLEDGE = 0xff;
const HEADER_BYTES = 4;

export type RmcpPacket = { readonly kind: 'asf' | 'ipmi'; readonly body: Buffer };

/** Undefined for anything that is no RMCP message with a content we know. */
export const decodeRmcp = (bytes: Buffer): RmcpPacket | undefined => {
  if (bytes.length < HEADER_BYTES || bytes[0] !== RMCP_VERSION) return undefined;
  const body = bytes.subarray(HEADER_BYTES);
  switch (bytes[3]) {
    case CLASS_ASF:
      return { kind: 'asf', body };
    case CLASS_IPMI:
      return { kind: 'ipmi', body };
    default:
      // With the bit of an acknowledge set it carries nothing.
      return undefined;
  }
};

export const encodeRmcp = (kind: RmcpPacket['kind'], body: Uint8Array): Buffer => {
  const rmcpClass = kind === 'asf' ? CLASS_ASF : CLASS_IPMI;
  return Buffer.concat([Buffer.from([RMCP_VERSION, 0, NO_ACKNOWLEDGE, rmcpClass]), body]);
};

/** IANA enterprise number of ASF itself. */
const ASF_IANA = 4542;
const ASF_PING = 0x80;
const ASF_PONG = 0x40;
const ASF_HEADER_BYTES = 8;
const PONG_BYTES = 16;
const SUPPORTS_IPMI = 0x80;

export type AsfMessage =
  | { readonly kind: 'ping'; readonly tag: number }
  | { readonly kind: 'pong'; readonly tag: number; readonly ipmi: boolean };

export const decodeAsf = (body: Buffer): AsfMessage | undefined => {
  if (body.length < ASF_HEADER_BYTES || body.readUInt32BE(0) !== ASF_IANA) return undefined;
  const tag = body.readUInt8(5);
  const dataBytes = body.readUInt8(7);
  const data = body.subarray(ASF_HEADER_BYTES, ASF_HEADER_BYTES + dataBytes);
  if (body[4] === ASF_PING) return { kind: 'ping', tag };
  if (body[4] !== ASF_PONG || data.length < PONG_BYTES) return undefined;
  return { kind: 'pong', tag, ipmi: (data.readUInt8(8) & SUPPORTS_IPMI) !== 0 };
};

export const encodeAsf = (message: AsfMessage): Buffer => {
  const data = message.kind === 'ping' ? Buffer.alloc(0) : pongData(message.ipmi);
  const header = Buffer.alloc(ASF_HEADER_BYTES);
  header.writeUInt32BE(ASF_IANA, 0);
  header.writeUInt8(message.kind === 'ping' ? ASF_PING : ASF_PONG, 4);
  header.writeUInt8(message.tag, 5);
  header.writeUInt8(data.length, 7);
  return Buffer.concat([header, data]);
};

const pongData = (ipmi: boolean): Buffer => {
  const data = Buffer.alloc(PONG_BYTES);
  data.writeUInt32BE(ASF_IANA, 0);
  data.writeUInt8((ipmi ? SUPPORTS_IPMI : 0) | 0x01, 8);
  return data;
};
