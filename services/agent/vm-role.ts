import { join } from 'node:path';
import type { Client } from '@connectrpc/connect';
import type { AgentService } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Assignment } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { createArtifacts } from './artifacts.ts';
import type { Journal } from './journal.ts';
import { listenPhoneHome } from './phone-home.ts';
import type { GuestDriver } from './ports.ts';
import type { Role } from './role.ts';
import { createGuestKeeper, type GuestKeeper } from './work/guest-keeper.ts';
import type { Reporter } from './work/reporter.ts';

export type VmRoleOptions = {
  readonly stateDir: string;
  readonly phoneHome: { readonly address: string; readonly port: number };
  /** Host as a guest reaches it; 10.0.2.2 in user-mode networking. */
  readonly guestGateway: string;
  readonly emulated: boolean;
  /** What is wanted and not gone that no other role has. */
  readonly owns: (assignment: Assignment) => boolean;
};

export type RoleDeps = {
  readonly client: Client<typeof AgentService>;
  readonly journal: Journal;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

/** Guests on this host, and the listener to which they phone home. */
export const createVmRole = async (
  options: VmRoleOptions,
  driver: GuestDriver,
  deps: RoleDeps,
): Promise<Role> => {
  const { client, log } = deps;
  const directory = join(options.stateDir, 'files');
  const artifacts = createArtifacts({ directory, client: () => client, log });
  let keeper: GuestKeeper | undefined;
  const listener = await listenPhoneHome({
    ...options.phoneHome,
    accept: (hash, report) => keeper?.phonedHome(hash, report) ?? false,
    log,
  });
  const phoneHomeUrl = `http://${options.guestGateway}:${listener.port}/phone-home`;
  const { emulated, owns } = options;
  const guests = createGuestKeeper({ ...deps, driver, artifacts, phoneHomeUrl, emulated, owns });
  keeper = guests;
  return {
    name: 'vm',
    owns,
    poke: guests.poke,
    pokeAll: guests.pokeAll,
    synced: () => {
      tellOrphans(deps, guests).catch((error: unknown) => {
        log.warn({ err: error }, 'cannot look for orphans');
      });
    },
    consoleFor: ({ controller }) => (controller === undefined ? driver : undefined),
    stop: async (how) => {
      await guests.stop(how);
      listener.server.close();
      listener.server.closeAllConnections();
    },
  };
};

/** Guests that nobody wants are told and kept: only an explicit absent destroys. */
const tellOrphans = async ({ reporter, signal }: RoleDeps, keeper: GuestKeeper): Promise<void> => {
  for (const uid of await keeper.orphans(signal)) {
    reporter.happened({
      type: 'agent.orphan',
      uid: '',
      message: `guest ${uid} exists here and no assignment wants it; it is kept`,
      data: { uid },
      warning: true,
    });
  }
};
