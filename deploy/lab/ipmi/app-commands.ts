/** Network function 06h: the controller itself, channels and sessions (IPMI 2.0 §20, §22). */
import { encodeSuites } from '../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
  uint16,
  uint32,
} from './command.ts';
import { guidOf } from './guid.ts';

/** Of the LAN channel, the only one. */
export const CHANNEL = 1;
const THIS_CHANNEL = 0x0e;
/** IANA's number for documentation (RFC 5612). */
const MANUFACTURER = 32_473;
const PRODUCT = 1;
const SUITE_BLOCK_BYTES = 16;

export const isOurChannel = (byte: number | undefined): boolean =>
  byte !== undefined && [CHANNEL, THIS_CHANNEL].includes(byte & 0x0f);

const deviceId = (_: Buffer, { state }: CommandContext): CommandAnswer => {
  const [major = 0, minor = 0] = state.server.hardware.bmcVersion.split('.').map(Number);
  const minorBcd = (Math.floor((minor % 100) / 10) << 4) | (minor % 10);
  // Chassis, inventory, log, sensor records and sensors.
  const support = 0x8f;
  const manufacturer = uint32(MANUFACTURER).subarray(0, 3);
  const version = [major & 0x7f, minorBcd, 0x02, support];
  return ok(0x20, 0x01, ...version, manufacturer, uint16(PRODUCT), uint32(0));
};

/** Table 20-8: S0 or S5, and the controller itself is at work (D0). */
const acpiState = (_: Buffer, { state }: CommandContext): CommandAnswer =>
  ok(state.server.power() === 'off' ? 0x05 : 0x00, 0x00);

const guid = (_: Buffer, { state }: CommandContext): CommandAnswer =>
  ok(guidOf(state.server.hardware.uuid, state.personality.guidOrder));

const authenticationCapabilities = (data: Buffer): CommandAnswer => {
  if (data.length < 2) return failed(CODE.wrongLength);
  if (!isOurChannel(data[0])) return failed(CODE.invalidField);
  const isExtended = ((data[0] ?? 0) & 0x80) !== 0;
  // No IPMI 1.5 session of any kind; users have names; RMCP+ only.
  return ok(CHANNEL, isExtended ? 0x80 : 0x00, 0x04, isExtended ? 0x02 : 0x00, uint32(0));
};

const cipherSuites = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 3) return failed(CODE.wrongLength);
  if (!isOurChannel(data[0])) return failed(CODE.invalidField);
  const all = encodeSuites(state.personality.suites.toReversed());
  const start = ((data[2] ?? 0) & 0x3f) * SUITE_BLOCK_BYTES;
  return ok(CHANNEL, all.subarray(start, start + SUITE_BLOCK_BYTES));
};

const setPrivilege = (data: Buffer, { session }: CommandContext): CommandAnswer => {
  if (session === undefined) return failed(CODE.notInThisState);
  const wanted = (data[0] ?? 0) & 0x0f;
  if (wanted > session.privilegeMax) return failed(0x81);
  if (wanted !== 0) session.privilege = wanted;
  return ok(session.privilege);
};

const closeSession = (data: Buffer, { state, session }: CommandContext): CommandAnswer => {
  if (data.length < 4) return failed(CODE.wrongLength);
  const id = data.readUInt32LE(0);
  const found = state.sessions.get(id);
  if (found === undefined) return failed(0x87);
  const isOwn = found === session;
  if (!isOwn && session?.privilege !== LEVEL.administrator) {
    return failed(CODE.insufficientPrivilege);
  }
  state.sessions.delete(id);
  if (state.sol.owner() === found) state.sol.deactivate();
  return ok();
};

const SESSIONS_MAX = 36;
const BY_HANDLE = 0xfe;
const BY_ID = 0xff;

/** §22.20: the session that asks, or another by its place, its handle or its number. */
const sessionInfo = (data: Buffer, { state, session }: CommandContext): CommandAnswer => {
  if (session === undefined) return failed(CODE.notInThisState);
  const all = [...state.sessions.values()];
  const [by = 0, handle = 0] = data;
  const place = by === BY_HANDLE ? handle : by;
  const id = by === BY_ID && data.length >= 5 ? data.readUInt32LE(1) : undefined;
  const found =
    by === 0 ? session : id === undefined ? all[place - 1] : all.find((one) => one.id === id);
  if (found === undefined) return ok(0, SESSIONS_MAX, all.length);
  const counted = [all.indexOf(found) + 1, SESSIONS_MAX, all.length];
  return ok(...counted, found.slot, found.privilege, 0x10 | CHANNEL);
};

/** 802.3 LAN, IPMB-1.0, session based with many sessions, no OEM. */
const channelInfo = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (!isOurChannel(data[0])) return failed(CODE.notPresent);
  const vendor = Buffer.from([0xf2, 0x1b, 0x00]);
  return ok(CHANNEL, 0x04, 0x01, 0x80 | (state.sessions.size & 0x3f), vendor, 0, 0);
};

/** Always available, per-message authentication on, up to administrators. */
const channelAccess = (data: Buffer): CommandAnswer =>
  isOurChannel(data[0]) ? ok(0x02, 0x04) : failed(CODE.notPresent);

const table: Readonly<Record<number, Command>> = {
  1: { privilege: LEVEL.user, run: deviceId },
  // No failure.
  4: { privilege: LEVEL.user, run: () => ok(0x55, 0x00) },
  7: { privilege: LEVEL.user, run: acpiState },
  8: { privilege: LEVEL.user, run: guid },
  47: { privilege: LEVEL.user, run: () => ok(0x08) },
  55: { privilege: LEVEL.none, run: guid },
  56: { privilege: LEVEL.none, run: authenticationCapabilities },
  59: { privilege: LEVEL.user, run: setPrivilege },
  60: { privilege: LEVEL.user, run: closeSession },
  61: { privilege: LEVEL.user, run: sessionInfo },
  64: { privilege: LEVEL.administrator, run: channelAccess },
  65: { privilege: LEVEL.user, run: channelAccess },
  66: { privilege: LEVEL.user, run: channelInfo },
  84: { privilege: LEVEL.none, run: cipherSuites },
};

export const APP_COMMANDS = commands(0x06, table);
