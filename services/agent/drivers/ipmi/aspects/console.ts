/** Opens Serial over LAN, and ends what an earlier process has left (IPMI 2.0 §24.1, §24.2). */
import type { Clock } from '../../../../runtime/clock.ts';
import { BmcError, type ConsoleAspect } from '../../../bmc-port.ts';
import { withDeadline } from '../session/link.ts';
import type { Session } from '../session/session.ts';
import { createSolStream } from '../session/sol-stream.ts';
import { CODE, completionError } from '../wire/completion-code.ts';
import type { IpmiResponse } from '../wire/message.ts';
import { PAYLOAD } from '../wire/packet.ts';
import { SOL_DATA_BYTES_MAX, SOL_HEADER_BYTES } from '../wire/sol.ts';
import type { Place } from './place.ts';

const NETFN_APP = 0x06;
const ACTIVATE = 0x48;
const DEACTIVATE = 0x49;
const INSTANCE = 1;
/** Encrypted and authenticated, always: what is typed into it are passwords. */
const SEALED = 0xc0;
const ALERTS_DEFERRED = 0x04;
const AUXILIARY = [0, 0, 0, 0];
const ALREADY_ACTIVE = 0x80;
const ACTIVATIONS_MAX = 3;
/** Controllers take the payload back when its session has ended, some only after a while. */
const PAUSE_MS = 500;
const HANG_UP_MS = 3_000;
/** Least that is believed: some say 0 or swap the bytes (FreeIPMI's `solpayloadsize`). */
const PACKET_BYTES_MIN = 8;

const REFUSALS: Readonly<Record<number, string>> = {
  129: 'Serial over LAN is switched off',
  130: 'as many consoles as it has are open',
  131: 'it opens no console with encryption',
};

export const createConsoleAspect = (
  place: Pick<Place, 'clock' | 'link' | 'rules'>,
): ConsoleAspect => {
  const { clock, link, rules } = place;
  const { provider } = link;
  const alerts = rules.serialAlerts === 'deferred' ? ALERTS_DEFERRED : 0;
  return {
    open: (signal) =>
      withDeadline({ provider, signal }, async () => {
        const session = await link.connect(signal);
        try {
          const packetBytesMax = await activate({ clock, session, provider, alerts }, signal);
          return createSolStream({
            ...{ clock, session, provider, packetBytesMax },
            hangUp: (isOurs) => hangUp(session, isOurs),
          });
        } catch (error) {
          await session.close(AbortSignal.timeout(HANG_UP_MS));
          throw error;
        }
      }),
  };
};

type Activation = {
  readonly clock: Clock;
  readonly session: Session;
  readonly provider: string;
  readonly alerts: number;
};

/** How many characters a packet to it may have. */
const activate = async (
  { clock, session, provider, alerts }: Activation,
  signal: AbortSignal,
): Promise<number> => {
  const bytes = [PAYLOAD.sol, INSTANCE, SEALED | alerts, 0, 0, 0];
  let code: number = ALREADY_ACTIVE;
  for (let attempt = 1; attempt <= ACTIVATIONS_MAX; attempt += 1) {
    if (attempt > 1) {
      // Whoever has it is told by the controller.
      if (code === ALREADY_ACTIVE) await deactivate(session, signal);
      if (attempt > 2 || code !== ALREADY_ACTIVE) await clock.sleep(PAUSE_MS, signal);
    }
    const answer = await request(session, { command: ACTIVATE, bytes }, signal);
    if (answer.code === 0) return packetBytes(answer.data);
    code = answer.code;
    if (code !== ALREADY_ACTIVE && code !== CODE.nodeBusy) break;
  }
  throw refusal(provider, code);
};

type Request = { readonly command: number; readonly bytes: readonly number[] };

const request = (session: Session, asked: Request, signal: AbortSignal): Promise<IpmiResponse> =>
  session.request(
    { netFn: NETFN_APP, command: asked.command, data: Buffer.from(asked.bytes) },
    signal,
  );

const deactivate = (session: Session, signal: AbortSignal): Promise<IpmiResponse> => {
  const bytes = [PAYLOAD.sol, INSTANCE, ...AUXILIARY];
  return request(session, { command: DEACTIVATE, bytes }, signal);
};

const packetBytes = (data: Buffer): number => {
  const told = data.length < 6 ? 0 : data.readUInt16LE(4);
  const isBelieved = told >= PACKET_BYTES_MIN && told <= SOL_DATA_BYTES_MAX + SOL_HEADER_BYTES;
  // The port that follows is not looked at: some tell a wrong one (FreeIPMI's `solport`).
  return isBelieved ? told - SOL_HEADER_BYTES : PACKET_BYTES_MIN;
};

const refusal = (provider: string, code: number): BmcError => {
  const known = REFUSALS[code];
  if (code === ALREADY_ACTIVE) {
    return new BmcError('busy', `The console of provider "${provider}" is open elsewhere`);
  }
  if (known === undefined) return completionError(provider, 'to open the console', code);
  const message = `Controller of provider "${provider}" refused to open the console: ${known}`;
  return new BmcError(code === 130 ? 'busy' : 'unsupported', message, [known]);
};

const hangUp = async (session: Session, isOurs: boolean): Promise<void> => {
  const signal = AbortSignal.timeout(HANG_UP_MS);
  try {
    if (isOurs && !session.lost()) await deactivate(session, signal);
  } catch {
    // It is gone, and ends with its session.
  } finally {
    await session.close(signal);
  }
};
