import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { SqlStore } from '../store/sql/open.ts';
import type { MetadataRecords } from './ports.ts';
import { auditRevocation, insertJoinToken, newJoinToken } from './rpc/trust-service.ts';

export type LocalJoinToken = {
  readonly partition: string;
  readonly agentId: string;
  readonly roles: readonly string[];
};

type Deps = {
  readonly store: SqlStore;
  readonly records: MetadataRecords;
  readonly clock: Clock;
  readonly random: Random;
};

const LIFETIME_MS = 10 * 60_000;
const ACTOR = { principal: 'services/metadata', requestId: 'local agent' };

/**
 * A join token for the agent of this very host, which has no certificate: an earlier agent of that
 * name has lost its key for good and is revoked, so that the name is free.
 */
export const createLocalJoinToken = (deps: Deps, wanted: LocalJoinToken): Promise<string> =>
  deps.store.transaction(undefined, ACTOR, async (tx) => {
    const { records, clock } = deps;
    const earlier = await records.agents.findByName(tx, wanted.partition, wanted.agentId);
    if (earlier?.revokedMs === 0) {
      await records.agents.revoke(tx, earlier, clock.now().getTime());
      auditRevocation(tx, earlier, 'the agent of this host joins again');
    }
    const { secret, token } = newJoinToken(deps, { ...wanted, lifetimeMs: LIFETIME_MS });
    await insertJoinToken(deps, tx, token);
    return secret;
  });
