import { createController } from '../../deploy/lab/ipmi/controller.ts';
import { labHardware } from '../../deploy/lab/lab-hardware.ts';
import { createSimulatedMachine } from '../../deploy/lab/simulated-machine.ts';
import { createLabServer } from '../../deploy/lab/simulated-server.ts';
import type { Datagrams } from '../../services/agent/drivers/ipmi/session/datagrams.ts';
import { createSession, type Session } from '../../services/agent/drivers/ipmi/session/session.ts';
import { PRIVILEGE, signIn } from '../../services/agent/drivers/ipmi/session/sign-in.ts';
import { CIPHER_SUITES } from '../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';

/** A controller without a socket: what a console sends reaches it at once, on any clock. */
export type PipedController = {
  readonly controller: ReturnType<typeof createController>;
  readonly server: ReturnType<typeof createLabServer>;
  /** A network of its own for one console. */
  readonly pipe: () => Pipe;
  /** A session as administrator. */
  readonly signIn: (datagrams: Datagrams) => Promise<Session>;
};

export type Pipe = {
  readonly datagrams: Datagrams;
  /** Says something to the console, whoever says it. */
  readonly tell: (bytes: Buffer) => void;
  /** So many of the next datagrams to the controller are lost. */
  readonly lose: (count: number) => void;
  readonly sent: () => number;
};

const CREDENTIALS = { user: 'admin', password: 'secret' };
const SET_PRIVILEGE = { netFn: 6, command: 0x3b };

export const pipedController = (clock: Clock): PipedController => {
  const hardware = labHardware('piped');
  const server = createLabServer({
    ...{ hardware, clock, random, machine: createSimulatedMachine({ hardware, clock }) },
    accounts: [{ ...CREDENTIALS, slot: 2, enabled: true, privilege: 'administrator' }],
  });
  const controller = createController({ clock, random, server, port: 623, isBusy: () => false });
  return {
    ...{ controller, server },
    pipe: () => pipeTo(controller),
    signIn: async (datagrams) => {
      const deps = { clock, random, datagrams, provider: 'piped' };
      const signal = AbortSignal.timeout(60_000);
      const made = await signIn({ ...deps, credentials: CREDENTIALS, signal }, CIPHER_SUITES);
      const session = createSession(deps, made);
      const data = Buffer.from([PRIVILEGE.administrator]);
      await session.request({ ...SET_PRIVILEGE, data }, signal);
      return session;
    },
  };
};

const pipeTo = (controller: PipedController['controller']): Pipe => {
  let heard: ((bytes: Buffer) => void) | undefined;
  let losing = 0;
  let sent = 0;
  return {
    datagrams: {
      send: (bytes) => {
        sent += 1;
        losing -= 1;
        if (losing >= 0) return;
        controller.take(Buffer.from(bytes), (answer) => heard?.(answer));
      },
      listen: (listener) => {
        heard = listener;
      },
      broken: new AbortController().signal,
      close: () => undefined,
    },
    tell: (bytes) => heard?.(bytes),
    lose: (count) => {
      losing = count;
    },
    sent: () => sent,
  };
};
