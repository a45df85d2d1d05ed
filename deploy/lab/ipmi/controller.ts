/**
 * A management controller that speaks IPMI 2.0 over LAN for one server: a datagram in, datagrams
 * out. It knows no socket, so that thousands can share a process.
 */
import { CODE } from '../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import {
  type AddressedRequest,
  decodeRequest,
  encodeResponse,
} from '../../../services/agent/drivers/ipmi/wire/message.ts';
import {
  decodePacket,
  encodePlain,
  encodeRmcpPlus,
  PAYLOAD,
  type Packet,
  type RmcpPlusPacket,
} from '../../../services/agent/drivers/ipmi/wire/packet.ts';
import {
  decodeAsf,
  decodeRmcp,
  encodeAsf,
  encodeRmcp,
} from '../../../services/agent/drivers/ipmi/wire/rmcp.ts';
import { seal, unseal } from '../../../services/agent/drivers/ipmi/wire/seal.ts';
import { type Clock, OVER } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { LabServer } from '../server-port.ts';
import { APP_COMMANDS } from './app-commands.ts';
import { CHASSIS_COMMANDS } from './chassis-commands.ts';
import {
  type CommandAnswer,
  type CommandTable,
  type ControllerState,
  commandKey,
  failed,
} from './command.ts';
import { DCMI_COMMANDS } from './dcmi-commands.ts';
import { fruImage } from './fru-image.ts';
import { guidOf } from './guid.ts';
import { LAN_COMMANDS } from './lan-commands.ts';
import {
  createManagedHandshake,
  type ManagedHandshake,
  type ManagedSession,
  nextOf,
} from './managed-session.ts';
import { PAYLOAD_COMMANDS, SOL_COMMANDS } from './payload-commands.ts';
import { type Personality, PLAIN } from './personality.ts';
import { SENSOR_COMMANDS } from './sensor-commands.ts';
import { createSolEndpoint } from './sol-endpoint.ts';
import { STORAGE_COMMANDS } from './storage-commands.ts';
import { USER_COMMANDS } from './user-commands.ts';
import { createWatchdog } from './watchdog.ts';
import { WATCHDOG_COMMANDS } from './watchdog-commands.ts';

/** Answers a datagram to whom it came from. */
export type Reply = (datagram: Buffer) => void;

export type Controller = {
  readonly take: (datagram: Buffer, reply: Reply) => void;
  /**
   * Every session ends without a word, as in a restart, and so do a light for some seconds and the
   * watchdog timer.
   */
  readonly forget: () => void;
};

export type ControllerDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly server: LabServer;
  /** PLAIN when absent. */
  readonly personality?: Personality;
  /** Of the socket, as it is told to consoles. */
  readonly port: number;
  /** Where the socket is; 127.0.0.1 where absent. */
  readonly host?: string;
  /** It has too much to do: every command gets "node busy". */
  readonly isBusy: () => boolean;
};

const TABLE: CommandTable = new Map([
  ...[...CHASSIS_COMMANDS, ...SENSOR_COMMANDS, ...STORAGE_COMMANDS, ...LAN_COMMANDS],
  ...[...APP_COMMANDS, ...USER_COMMANDS, ...PAYLOAD_COMMANDS, ...SOL_COMMANDS],
  ...[...WATCHDOG_COMMANDS, ...DCMI_COMMANDS],
]);

/** The controller's own failure, for example a full disk (IPMI 2.0 table 5-2). */
const UNSPECIFIED = 0xff;
const SESSIONS_MAX = 8;
/** IPMI 2.0 §6.12.15. */
const SESSION_IDLE_MS = 60_000;

export const createController = (deps: ControllerDeps): Controller => {
  const { clock, random, server, port, personality = PLAIN, host = '127.0.0.1' } = deps;
  const sessions = new Map<number, ManagedSession>();
  /** Where the session's last packet came from. */
  const replies = new WeakMap<ManagedSession, Reply>();

  const sendIn = (session: ManagedSession, payloadType: number, payload: Buffer): void => {
    const header = { payloadType, sessionId: session.consoleSession, sequence: nextOf(session) };
    const sealed = seal(header, payload, { keys: session.keys, iv: random.bytes(16) });
    replies.get(session)?.(encodeRmcp('ipmi', sealed));
  };

  const sol = createSolEndpoint({
    ...{ clock, serial: server.serial },
    send: (session, payload) => sendIn(session, PAYLOAD.sol, payload),
  });
  const state: ControllerState = {
    ...{ clock, random, server, sol, sessions, personality },
    fru: fruImage(server.hardware),
    watchdog: createWatchdog({ clock, server }),
    ...{ selReservation: 0, sdrReservation: 0, bootSetInProgress: 0 },
    ...{ withoutSol: new Set(), solEnabled: true, selClockAheadMs: 0, identifying: undefined },
  };

  const end = (session: ManagedSession): void => {
    sessions.delete(session.id);
    if (sol.owner() === session) sol.deactivate();
  };
  const endIdle = (): void => {
    for (const session of sessions.values()) {
      if (clock.monotonicMs() - session.lastUsedMs > SESSION_IDLE_MS) end(session);
    }
  };

  const handshake = createManagedHandshake({
    ...{
      clock,
      random,
      suites: personality.suites,
      guid: guidOf(server.hardware.uuid, personality.guidOrder),
    },
    accounts: server.accounts,
    checksRole: personality.roleCheck !== 'late',
    hasRoom: () => {
      endIdle();
      return !deps.isBusy() && sessions.size < SESSIONS_MAX;
    },
    established: (session) => sessions.set(session.id, session),
    refused: (user) =>
      server.addLog({ severity: 'warning', message: `Sign-in refused for user "${user}"` }),
  });

  const run = async (
    request: AddressedRequest,
    session: ManagedSession | undefined,
  ): Promise<CommandAnswer> => {
    const command = TABLE.get(commandKey(request.netFn, request.command));
    if (command === undefined) return failed(CODE.invalidCommand);
    if ((session?.privilege ?? 0) < command.privilege) return failed(CODE.insufficientPrivilege);
    // What is asked before a session is answered by the network chip.
    if (session !== undefined && deps.isBusy()) return failed(CODE.nodeBusy);
    return command.run(Buffer.from(request.data), { state, session, port, host });
  };

  const answer = async (
    payload: Buffer,
    session: ManagedSession | undefined,
    send: (response: Buffer) => void,
  ): Promise<void> => {
    const request = decodeRequest(payload);
    if (request === undefined) return;
    const done = await run(request, session).catch(() => failed(UNSPECIFIED));
    send(encodeResponse(request, done));
  };

  const inSession = (packet: RmcpPlusPacket, reply: Reply): void => {
    endIdle();
    const session = sessions.get(packet.sessionId);
    const payload = session === undefined ? undefined : unseal(packet, session.keys);
    if (session === undefined || payload === undefined) return;
    if (!session.window.take(packet.sequence)) return;
    session.lastUsedMs = clock.monotonicMs();
    replies.set(session, reply);
    if (packet.payloadType === PAYLOAD.sol) sol.take(session, payload);
    if (packet.payloadType !== PAYLOAD.ipmi) return;
    void answer(payload, session, (response) => sendIn(session, PAYLOAD.ipmi, response));
  };

  const outside = (packet: Packet, reply: Reply): void => {
    if (packet.kind === 'ipmi15' || packet.payloadType === PAYLOAD.ipmi) {
      const wrap = packet.kind === 'ipmi15' ? encodePlain : wrapped(PAYLOAD.ipmi);
      const send = (response: Buffer): void => reply(encodeRmcp('ipmi', wrap(response)));
      void answer(packet.payload, undefined, send);
      return;
    }
    const next = stepOf(handshake, packet);
    if (next !== undefined) reply(encodeRmcp('ipmi', wrapped(next.type)(next.payload)));
  };

  return {
    take: (datagram, reply) => {
      const rmcp = decodeRmcp(datagram);
      if (rmcp?.kind === 'asf') {
        const ping = decodeAsf(rmcp.body);
        if (ping?.kind !== 'ping') return;
        reply(encodeRmcp('asf', encodeAsf({ kind: 'pong', tag: ping.tag, ipmi: true })));
        return;
      }
      const packet = rmcp === undefined ? undefined : decodePacket(rmcp.body);
      if (packet === undefined) return;
      if (packet.sessionId === 0) outside(packet, reply);
      else if (packet.kind === 'rmcp+') inSession(packet, reply);
    },
    forget: () => {
      state.identifying?.abort(OVER);
      state.watchdog.stop();
      for (const session of sessions.values()) {
        replies.delete(session);
        end(session);
      }
    },
  };
};

const wrapped =
  (payloadType: number) =>
  (payload: Buffer): Buffer =>
    encodeRmcpPlus({ payloadType, sessionId: 0, sequence: 0, sealed: false }, payload);

type Step = { readonly type: number; readonly payload: Buffer };

const stepOf = (handshake: ManagedHandshake, packet: RmcpPlusPacket): Step | undefined => {
  const step = (type: number, payload: Buffer | undefined): Step | undefined =>
    payload === undefined ? undefined : { type, payload };
  switch (packet.payloadType) {
    case PAYLOAD.openSessionRequest:
      return step(PAYLOAD.openSessionResponse, handshake.open(packet.payload));
    case PAYLOAD.rakp1:
      return step(PAYLOAD.rakp2, handshake.rakp1(packet.payload));
    case PAYLOAD.rakp3:
      return step(PAYLOAD.rakp4, handshake.rakp3(packet.payload));
    default:
      return undefined;
  }
};
