/** Network function 0Ch: the LAN channel's configuration, for reading (IPMI 2.0 §23). */
import { isIPv4 } from 'node:net';
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import { isOurChannel } from './app-commands.ts';
import {
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
  PARAMETER_REVISION,
  UNKNOWN_PARAMETER,
} from './command.ts';

const READ_ONLY = 0x82;
const NO_ADDRESS = [0, 0, 0, 0];

const addressBytes = (host: string): readonly number[] =>
  isIPv4(host) ? host.split('.').map(Number) : NO_ADDRESS;

const lanParameter = (data: Buffer, { state, host }: CommandContext): CommandAnswer => {
  if (!isOurChannel(data[0])) return failed(CODE.invalidField);
  const mac = Buffer.from(state.server.hardware.bmcMac.replaceAll(':', ''), 'hex');
  const values: Readonly<Record<number, readonly number[]>> = {
    0: [0],
    // No authentication type of IPMI 1.5 in front of a session.
    1: [0],
    2: [0, 0, 0, 0, 0],
    3: addressBytes(host),
    4: [0x01],
    5: [...mac],
    6: [255, 0, 0, 0],
    12: NO_ADDRESS,
    22: [state.personality.suites.length],
    23: [0, ...state.personality.suites.toReversed().map(({ id }) => id)],
    // Each up to administrators.
    24: [0, 0x44, 0, 0, 0, 0, 0, 0, 0],
  };
  const value = values[data[1] ?? 0xff];
  if (value === undefined) return failed(UNKNOWN_PARAMETER);
  return ok(PARAMETER_REVISION, Buffer.from(value));
};

export const LAN_COMMANDS = commands(0x0c, {
  1: { privilege: LEVEL.administrator, run: () => failed(READ_ONLY) },
  2: { privilege: LEVEL.operator, run: lanParameter },
});
