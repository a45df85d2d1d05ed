/**
 * Serial over LAN as the managed system does it (IPMI 2.0 §15): one session has it at a time, the
 * next characters go out when the ones before were acknowledged.
 */
import {
  decodeSol,
  encodeSol,
  SOL_DATA_BYTES_MAX,
  SOL_OPERATION,
  SOL_STATUS,
} from '../../../services/agent/drivers/ipmi/wire/sol.ts';
import { createSolReceiver } from '../../../services/agent/drivers/ipmi/wire/sol-receiver.ts';
import { createSolSender } from '../../../services/agent/drivers/ipmi/wire/sol-sender.ts';
import { type Clock, OVER } from '../../../services/runtime/clock.ts';
import type { LabSerial } from '../server-port.ts';
import type { ManagedSession } from './managed-session.ts';

export type SolEndpoint = {
  /** Undefined: nobody has it. */
  readonly owner: () => ManagedSession | undefined;
  /** `isMute`: it takes no characters and acknowledges none. */
  readonly activate: (session: ManagedSession, isMute: boolean) => void;
  readonly deactivate: () => void;
  readonly take: (session: ManagedSession, payload: Buffer) => void;
};

export type SolEndpointDeps = {
  readonly clock: Clock;
  readonly serial: LabSerial;
  /** Sends a payload within that session. */
  readonly send: (session: ManagedSession, payload: Buffer) => void;
};

/** What waits for a console that is slow; older characters make room. */
const BUFFER_BYTES_MAX = 64 * 1024;
const RETRY_MS = 500;
const RETRIES_MAX = 7;

export const createSolEndpoint = ({ clock, serial, send }: SolEndpointDeps): SolEndpoint => {
  let active: Active | undefined;
  const deactivate = (): void => {
    const ended = active;
    active = undefined;
    ended?.end();
  };
  return {
    owner: () => active?.session,
    activate: (session, isMute) => {
      deactivate();
      active = activated({ clock, serial, send, session, isMute });
    },
    deactivate,
    take: (session, payload) => {
      if (active?.session === session) active.take(payload);
    },
  };
};

type Active = {
  readonly session: ManagedSession;
  readonly take: (payload: Buffer) => void;
  readonly end: () => void;
};

const activated = (
  deps: SolEndpointDeps & { readonly session: ManagedSession; readonly isMute: boolean },
): Active => {
  const { clock, session } = deps;
  const sender = createSolSender(SOL_DATA_BYTES_MAX);
  const receiver = createSolReceiver();
  const ended = new AbortController();
  let flags = 0;
  let flight = new AbortController();

  const transmit = async (): Promise<void> => {
    let packet = sender.next();
    if (packet === undefined) return;
    flight = new AbortController();
    const over = AbortSignal.any([flight.signal, ended.signal]);
    for (let retry = 0; retry <= RETRIES_MAX && packet !== undefined; retry += 1) {
      deps.send(session, encodeSol({ ...packet, acknowledged: 0, accepted: 0, flags }));
      flags = 0;
      await clock.sleep(RETRY_MS, over).catch(() => undefined);
      if (over.aborted) return;
      packet = sender.next('again');
    }
    // Nobody is there: what was printed meanwhile is lost, as it is on a real line.
    sender.clear();
  };

  const unlisten = deps.serial.listen((bytes) => {
    if (sender.waiting() + bytes.length > BUFFER_BYTES_MAX) {
      sender.clear();
      flags |= SOL_STATUS.overrun;
    }
    sender.push(bytes);
    void transmit();
  });

  return {
    session,
    take: (payload) => {
      const packet = decodeSol(payload);
      if (packet === undefined) return;
      if (sender.acknowledge(packet, SOL_OPERATION.nack)) {
        flight.abort(OVER);
        void transmit();
      }
      if (deps.isMute) return;
      const taken = receiver.take(packet, SOL_DATA_BYTES_MAX);
      if (taken === undefined) return;
      if (taken.data.length > 0) deps.serial.write(taken.data);
      const { acknowledged, accepted } = taken;
      const data = Buffer.alloc(0);
      deps.send(session, encodeSol({ sequence: 0, acknowledged, accepted, flags: 0, data }));
    },
    end: () => {
      ended.abort(OVER);
      unlisten();
      const none = { sequence: 0, acknowledged: 0, accepted: 0, data: Buffer.alloc(0) };
      deps.send(session, encodeSol({ ...none, flags: SOL_STATUS.deactivated }));
    },
  };
};
