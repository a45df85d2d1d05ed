/** Network function 06h: payloads, which means Serial over LAN (IPMI 2.0 §24). */
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import { PAYLOAD } from '../../../services/agent/drivers/ipmi/wire/packet.ts';
import {
  SOL_DATA_BYTES_MAX,
  SOL_HEADER_BYTES,
} from '../../../services/agent/drivers/ipmi/wire/sol.ts';
import { CHANNEL, isOurChannel } from './app-commands.ts';
import {
  type Command,
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
  PARAMETER_REVISION,
  UNKNOWN_PARAMETER,
  uint16,
  uint32,
} from './command.ts';

const ALREADY_ACTIVE = 0x80;
const ALREADY_INACTIVE = 0x80;
const DISABLED = 0x81;
const NEEDS_ENCRYPTION = 0x84;
const ENCRYPT = 0x80;
const ALERTS_DEFERRED = 1;
const SOL_BIT = 1 << PAYLOAD.sol;
const PACKET_BYTES = SOL_DATA_BYTES_MAX + SOL_HEADER_BYTES;

const isSol = (data: Buffer): boolean => ((data[0] ?? 0) & 0x3f) === PAYLOAD.sol;

const activate = (data: Buffer, { state, session, port }: CommandContext): CommandAnswer => {
  if (data.length < 6) return failed(CODE.wrongLength);
  if (!isSol(data) || session === undefined) return failed(CODE.invalidField);
  if (!state.solEnabled || state.withoutSol.has(session.slot)) return failed(DISABLED);
  if (((data[2] ?? 0) & ENCRYPT) === 0) return failed(NEEDS_ENCRYPTION);
  if (state.sol.owner() !== undefined) return failed(ALREADY_ACTIVE);
  const isDeferred = (((data[2] ?? 0) >> 2) & 0x03) === ALERTS_DEFERRED;
  const isMute = state.personality.serialAlerts === 'deferred' && !isDeferred;
  state.sol.activate(session, isMute);
  return ok(uint32(0), uint16(PACKET_BYTES), uint16(PACKET_BYTES), uint16(port), 0xff, 0xff);
};

const deactivate = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (!isSol(data)) return failed(CODE.invalidField);
  if (state.sol.owner() === undefined) return failed(ALREADY_INACTIVE);
  state.sol.deactivate();
  return ok();
};

const activationStatus = (data: Buffer, { state }: CommandContext): CommandAnswer =>
  isSol(data) ? ok(1, state.sol.owner() === undefined ? 0 : 1, 0) : failed(CODE.invalidField);

const instanceInfo = (data: Buffer, { state }: CommandContext): CommandAnswer =>
  isSol(data) ? ok(uint32(state.sol.owner()?.id ?? 0), Buffer.alloc(8)) : failed(CODE.invalidField);

const setUserAccess = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (!isOurChannel(data[0])) return failed(CODE.invalidField);
  const [, target = 0, payloads = 0] = data;
  const slot = target & 0x3f;
  if ((payloads & SOL_BIT) === 0) return ok();
  // Bits 7 and 6: 0 = allow, 1 = forbid.
  if (target >> 6 === 0) state.withoutSol.delete(slot);
  else state.withoutSol.add(slot);
  return ok();
};

const getUserAccess = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  const slot = (data[1] ?? 0) & 0x3f;
  return ok(state.withoutSol.has(slot) ? 0 : SOL_BIT, 0, 0, 0);
};

/** IPMI messages and SOL; then what sets sessions up. */
const support = (data: Buffer): CommandAnswer =>
  isOurChannel(data[0]) ? ok(0x03, 0x00, 0x3f, 0x00, 0, 0, 0, 0) : failed(CODE.invalidField);

const version = (data: Buffer): CommandAnswer =>
  isOurChannel(data[0]) ? ok(0x10) : failed(CODE.invalidField);

const table: Readonly<Record<number, Command>> = {
  72: { privilege: LEVEL.user, run: activate },
  73: { privilege: LEVEL.user, run: deactivate },
  74: { privilege: LEVEL.user, run: activationStatus },
  75: { privilege: LEVEL.user, run: instanceInfo },
  76: { privilege: LEVEL.administrator, run: setUserAccess },
  77: { privilege: LEVEL.operator, run: getUserAccess },
  78: { privilege: LEVEL.user, run: support },
  79: { privilege: LEVEL.user, run: version },
};

export const PAYLOAD_COMMANDS = commands(0x06, table);

/** SOL configuration (§26.3): on; encryption and authentication always; 115 200 Bd. */
const solParameter = (data: Buffer, { state, port }: CommandContext): CommandAnswer => {
  if (state.personality.solSettings === 'untold') return failed(CODE.invalidCommand);
  if (!isOurChannel(data[0])) return failed(CODE.invalidField);
  const values: Readonly<Record<number, readonly (number | Buffer)[]>> = {
    0: [0],
    1: [state.solEnabled ? 1 : 0],
    2: [0xc2],
    3: [1, SOL_DATA_BYTES_MAX],
    4: [7, 50],
    5: [0x0a],
    6: [0x0a],
    7: [CHANNEL],
    8: [uint16(port)],
  };
  const value = values[data[1] ?? 0xff];
  return value === undefined ? failed(UNKNOWN_PARAMETER) : ok(PARAMETER_REVISION, ...value);
};

const setSolParameter = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (!isOurChannel(data[0])) return failed(CODE.invalidField);
  if (data[1] === 1) state.solEnabled = ((data[2] ?? 0) & 1) === 1;
  return (data[1] ?? 0xff) <= 6 ? ok() : failed(UNKNOWN_PARAMETER);
};

export const SOL_COMMANDS = commands(0x0c, {
  33: { privilege: LEVEL.administrator, run: setSolParameter },
  34: { privilege: LEVEL.user, run: solParameter },
});
