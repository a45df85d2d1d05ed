/**
 * The six payloads that open a session (IPMI 2.0 §13.17 to §13.23): Open Session Request and
 * Response choose the algorithms, RAKP 1 to 4 prove both sides' knowledge of the password without
 * sending it. Session ids are little-endian numbers; random numbers and the GUID are opaque bytes.
 */
import type { Algorithms } from './cipher-suite.ts';

export type OpenSessionRequest = Algorithms & {
  readonly tag: number;
  /** Highest wanted; 0 = the highest that these algorithms allow. */
  readonly privilege: number;
  readonly consoleSession: number;
};

export type OpenSessionResponse =
  | { readonly tag: number; readonly status: number; readonly accepted: undefined }
  | {
      readonly tag: number;
      readonly status: 0;
      readonly accepted: Algorithms & {
        readonly privilege: number;
        readonly consoleSession: number;
        readonly managedSession: number;
      };
    };

export type Rakp1 = {
  readonly tag: number;
  readonly managedSession: number;
  readonly consoleRandom: Buffer;
  /** Wanted privilege, with NAME_ONLY where the user is to be found by name alone. */
  readonly role: number;
  readonly user: Buffer;
};

export type Rakp2 = {
  readonly tag: number;
  readonly status: number;
  readonly consoleSession: number;
  /** Empty, as `guid` and `code`, where the status is not 0. */
  readonly managedRandom: Buffer;
  readonly guid: Buffer;
  readonly code: Buffer;
};

/** RAKP 3 and 4: to whom, and the proof. */
export type RakpProof = {
  readonly tag: number;
  readonly status: number;
  readonly session: number;
  readonly code: Buffer;
};

export const NAME_ONLY = 0x10;
const ALGORITHM_BYTES = 8;
const OPEN_REQUEST_BYTES = 8 + 3 * ALGORITHM_BYTES;
const OPEN_RESPONSE_BYTES = 12 + 3 * ALGORITHM_BYTES;
const RAKP1_BYTES = 28;
const RAKP2_BYTES = 40;
const PROOF_BYTES = 8;
const USER_BYTES_MAX = 16;

export const encodeOpenSessionRequest = (request: OpenSessionRequest): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt8(request.tag, 0);
  head.writeUInt8(request.privilege, 1);
  head.writeUInt32LE(request.consoleSession, 4);
  return Buffer.concat([head, encodeAlgorithms(request)]);
};

export const decodeOpenSessionRequest = (bytes: Buffer): OpenSessionRequest | undefined => {
  if (bytes.length < OPEN_REQUEST_BYTES) return undefined;
  return {
    tag: bytes.readUInt8(0),
    privilege: bytes.readUInt8(1) & 0x0f,
    consoleSession: bytes.readUInt32LE(4),
    ...decodeAlgorithms(bytes.subarray(8)),
  };
};

export const encodeOpenSessionResponse = (
  response: OpenSessionResponse,
  consoleSession: number,
): Buffer => {
  const { accepted } = response;
  const head = Buffer.alloc(accepted === undefined ? 8 : 12);
  head.writeUInt8(response.tag, 0);
  head.writeUInt8(response.status, 1);
  head.writeUInt32LE(consoleSession, 4);
  if (accepted === undefined) return head;
  head.writeUInt8(accepted.privilege, 2);
  head.writeUInt32LE(accepted.managedSession, 8);
  return Buffer.concat([head, encodeAlgorithms(accepted)]);
};

export const decodeOpenSessionResponse = (bytes: Buffer): OpenSessionResponse | undefined => {
  if (bytes.length < 2) return undefined;
  const tag = bytes.readUInt8(0);
  const status = bytes.readUInt8(1);
  if (status !== 0) return { tag, status, accepted: undefined };
  if (bytes.length < OPEN_RESPONSE_BYTES) return undefined;
  const accepted = {
    privilege: bytes.readUInt8(2) & 0x0f,
    consoleSession: bytes.readUInt32LE(4),
    managedSession: bytes.readUInt32LE(8),
    ...decodeAlgorithms(bytes.subarray(12)),
  };
  return { tag, status: 0, accepted };
};

const encodeAlgorithms = (algorithms: Algorithms): Buffer => {
  const { authentication, integrity, confidentiality } = algorithms;
  return Buffer.from(
    [authentication, integrity, confidentiality].flatMap((algorithm, type) => [
      ...[type, 0, 0, ALGORITHM_BYTES],
      ...[algorithm, 0, 0, 0],
    ]),
  );
};

const decodeAlgorithms = (bytes: Buffer): Algorithms => ({
  authentication: bytes.readUInt8(4) & 0x3f,
  integrity: bytes.readUInt8(ALGORITHM_BYTES + 4) & 0x3f,
  confidentiality: bytes.readUInt8(2 * ALGORITHM_BYTES + 4) & 0x3f,
});

export const encodeRakp1 = (message: Rakp1): Buffer => {
  const head = Buffer.alloc(RAKP1_BYTES);
  head.writeUInt8(message.tag, 0);
  head.writeUInt32LE(message.managedSession, 4);
  head.set(message.consoleRandom, 8);
  head.writeUInt8(message.role, 24);
  head.writeUInt8(message.user.length, 27);
  return Buffer.concat([head, message.user]);
};

export const decodeRakp1 = (bytes: Buffer): Rakp1 | undefined => {
  if (bytes.length < RAKP1_BYTES) return undefined;
  const length = bytes.readUInt8(27);
  if (length > USER_BYTES_MAX || bytes.length < RAKP1_BYTES + length) return undefined;
  return {
    tag: bytes.readUInt8(0),
    managedSession: bytes.readUInt32LE(4),
    consoleRandom: bytes.subarray(8, 24),
    role: bytes.readUInt8(24),
    user: bytes.subarray(RAKP1_BYTES, RAKP1_BYTES + length),
  };
};

export const encodeRakp2 = (message: Rakp2): Buffer =>
  Buffer.concat([
    ...[proofHead(message.tag, message.status, message.consoleSession)],
    ...[message.managedRandom, message.guid, message.code],
  ]);

export const decodeRakp2 = (bytes: Buffer): Rakp2 | undefined => {
  if (bytes.length < 2) return undefined;
  const [tag, status] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  const consoleSession = bytes.length < 8 ? 0 : bytes.readUInt32LE(4);
  const empty = Buffer.alloc(0);
  if (status !== 0) {
    return { tag, status, consoleSession, managedRandom: empty, guid: empty, code: empty };
  }
  if (bytes.length < RAKP2_BYTES) return undefined;
  const managedRandom = bytes.subarray(8, 24);
  const guid = bytes.subarray(24, 40);
  return { tag, status, consoleSession, managedRandom, guid, code: bytes.subarray(40) };
};

export const encodeProof = (message: RakpProof): Buffer =>
  Buffer.concat([proofHead(message.tag, message.status, message.session), message.code]);

export const decodeProof = (bytes: Buffer): RakpProof | undefined => {
  if (bytes.length < PROOF_BYTES) return undefined;
  const [tag, status] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  return { tag, status, session: bytes.readUInt32LE(4), code: bytes.subarray(PROOF_BYTES) };
};

const proofHead = (tag: number, status: number, session: number): Buffer => {
  const head = Buffer.alloc(PROOF_BYTES);
  head.writeUInt8(tag, 0);
  head.writeUInt8(status, 1);
  head.writeUInt32LE(session, 4);
  return head;
};

/** What a status means (IPMI 2.0 §13.24, table 13-15). */
export const RAKP_STATUS: Readonly<Record<number, string>> = {
  1: 'insufficient resources to create a session',
  2: 'invalid session id',
  3: 'invalid payload type',
  4: 'invalid authentication algorithm',
  5: 'invalid integrity algorithm',
  6: 'no matching authentication payload',
  7: 'no matching integrity payload',
  8: 'inactive session id',
  9: 'invalid role',
  10: 'unauthorized role or privilege level',
  11: 'insufficient resources for a session of that role',
  12: 'invalid name length',
  13: 'unauthorized name',
  14: 'unauthorized GUID',
  15: 'invalid integrity check value',
  16: 'invalid confidentiality algorithm',
  17: 'no cipher suite of these algorithms',
  18: 'illegal or unrecognized parameter',
};
