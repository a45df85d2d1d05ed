/** Network function 06h: the watchdog timer (IPMI 2.0 §27.5 to §27.7). */
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import {
  type CommandAnswer,
  type CommandContext,
  commands,
  failed,
  LEVEL,
  ok,
  uint16,
} from './command.ts';

const TICK_MS = 100;
const RUNS = 0x40;
const NO_LOG = 0x80;
const WHO = 0x07;
const NEVER_SET = 0x80;

const setWatchdog = (data: Buffer, { state }: CommandContext): CommandAnswer => {
  if (data.length < 6) return failed(CODE.wrongLength);
  const [use = 0, action = 0, preTimeoutSeconds = 0, cleared = 0] = data;
  const initialMs = data.readUInt16LE(4) * TICK_MS;
  if (preTimeoutSeconds * 1_000 > initialMs) return failed(CODE.invalidField);
  state.watchdog.set({ use, action, preTimeoutSeconds, initialMs }, cleared);
  return ok();
};

const resetWatchdog = (_: Buffer, { state }: CommandContext): CommandAnswer =>
  state.watchdog.restart() ? ok() : failed(NEVER_SET);

const getWatchdog = (_: Buffer, { state: { watchdog } }: CommandContext): CommandAnswer => {
  const { use, action, preTimeoutSeconds, initialMs } = watchdog.settings() ?? UNSET;
  const leftMs = watchdog.leftMs();
  const shown = (use & (WHO | NO_LOG)) | (leftMs === undefined ? 0 : RUNS);
  const ticks = uint16(Math.ceil((leftMs ?? 0) / TICK_MS));
  const initial = uint16(initialMs / TICK_MS);
  return ok(shown, action, preTimeoutSeconds, watchdog.expired(), initial, ticks);
};

const UNSET = { use: 0, action: 0, preTimeoutSeconds: 0, initialMs: 0 };

export const WATCHDOG_COMMANDS = commands(0x06, {
  34: { privilege: LEVEL.operator, run: resetWatchdog },
  36: { privilege: LEVEL.operator, run: setWatchdog },
  37: { privilege: LEVEL.user, run: getWatchdog },
});
