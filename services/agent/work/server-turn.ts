import type { Assignment } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { Controllers } from '../bmc/controllers.ts';
import type { SerialConsoles } from '../bmc/serial-consoles.ts';
import type { PowerReading } from '../bmc-port.ts';
import type { Journal } from '../journal.ts';
import type { Reporter } from './reporter.ts';

export type ServerKeeperDeps = {
  readonly journal: Journal;
  readonly controllers: Controllers;
  readonly consoles: SerialConsoles;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Whether this object is a server and not a guest. */
  readonly owns: (assignment: Assignment) => boolean;
  /** The session is up and all that is wanted was told. */
  readonly isOnline: () => boolean;
};

export type ServerTurn = {
  readonly deps: ServerKeeperDeps;
  readonly uid: string;
  readonly own: ServerMemoryNow;
  readonly wake: () => void;
  readonly signal: AbortSignal;
};

/** What a keeper remembers of a server while it runs. */
export type ServerMemoryNow = {
  askedAtMs?: number;
  cannotAsk?: boolean;
  offSinceMs?: number;
  unsettledSinceMs?: number;
  lastPower: PowerReading;
  /** Looks in a row that showed nothing new. */
  quietLooks: number;
  /** Failures in a row. */
  failures: number;
  readiness?: AbortController;
  /** That it is gone was put into the journal. */
  isGoneTold?: boolean;
  /** The control plane knows nothing of it. */
  isOrphan?: boolean;
};

export const newServerMemory = (): ServerMemoryNow => ({
  lastPower: 'unknown',
  quietLooks: 0,
  failures: 0,
});
