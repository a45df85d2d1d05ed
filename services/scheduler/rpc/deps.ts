import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { Connect } from '../../runtime/service.ts';
import type { Catalogue, Leaders, PastUses, Projects, Reading, Topologies } from '../ports.ts';

/** What the handlers need. */
export type RpcDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: Pick<Connect, 'transportToAddress'>;
  readonly reading: Reading;
  readonly leaders: Leaders;
  readonly catalogue: Catalogue;
  readonly topologies: Topologies;
  readonly pastUses: PastUses;
  readonly projects: Projects;
  /** Of the SQL store: raised by a restore. */
  readonly incarnation: () => number;
  readonly cluster: string;
  /** How long a call waits for a leader before it is told that there is none. */
  readonly leaderWaitMs: number;
};
