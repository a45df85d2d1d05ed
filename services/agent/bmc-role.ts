import { join } from 'node:path';
import type { OpenChannel } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Assignment } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { BmcOrder } from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import { createBmcSessions } from './bmc/bmc-sessions.ts';
import { createControllers } from './bmc/controllers.ts';
import { createCredentials } from './bmc/credentials.ts';
import { createOrders } from './bmc/orders.ts';
import { openSealer } from './bmc/sealed-secrets.ts';
import { createSerialConsoles, type SerialConsoles } from './bmc/serial-consoles.ts';
import type { BmcDriver } from './bmc-port.ts';
import type { Liveness } from './liveness.ts';
import type { Role } from './role.ts';
import type { RoleDeps } from './vm-role.ts';
import { createServerKeeper } from './work/server-keeper.ts';

export type BmcRoleOptions = {
  readonly stateDir: string;
  readonly drivers: readonly BmcDriver[];
  readonly owns: (assignment: Assignment) => boolean;
  readonly liveness: Pick<Liveness, 'isOnline' | 'session'>;
};

export type BmcRole = Role & {
  readonly order: (command: {
    readonly id: string;
    readonly validForMs: number;
    readonly order: BmcOrder;
  }) => void;
};

/** Management controllers: orders, servers that machines are on, and their consoles. */
export const createBmcRole = (options: BmcRoleOptions, deps: RoleDeps): BmcRole => {
  const { clock, log, random, client, reporter } = deps;
  const { drivers, stateDir } = options;
  const journal = deps.journal.bmc;
  const ended = new AbortController();
  const { signal } = ended;
  const sealer = openSealer(join(stateDir, 'secrets.key'), random);
  const credentials = createCredentials({ client, journal, sealer, clock, log });
  const sessions = createBmcSessions({ drivers, credentials, clock, log });
  const controllers = createControllers({ sessions, clock, log });
  const directory = join(stateDir, 'consoles');
  const consoles = createSerialConsoles({ directory, controllers, sessions, clock, log });
  const { owns } = options;
  const { isOnline, session } = options.liveness;
  const orders = createOrders({
    ...{ journal, reporter, controllers, sessions, credentials, drivers, clock, log, signal },
    session,
  });
  const keeper = createServerKeeper({ ...deps, controllers, consoles, owns, isOnline });
  const closing = sessions.work(signal);
  orders.resume();
  return {
    name: 'bmc',
    owns,
    poke: keeper.poke,
    pokeAll: keeper.pokeAll,
    synced: keeper.letGo,
    consoleFor: (order) => sourceOf(consoles, order),
    order: orders.take,
    stop: async () => {
      ended.abort(new Error('the agent stops'));
      await Promise.all([keeper.stop(), consoles.stop(), orders.idle()]);
      await closing;
    },
  };
};

const sourceOf = (consoles: SerialConsoles, order: OpenChannel) => ({
  openConsole: (_: unknown, signal: AbortSignal) => consoles.open(order, signal),
  readLog: async (uid: string, tailBytes: number) => consoles.readLog(uid, tailBytes),
});
