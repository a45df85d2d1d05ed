/**
 * One reader of the change feed for all sessions: assignments go to their agents, stale sessions
 * end.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ChangeEvent } from '../../store/sql/change-feed.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { AgentHub } from '../agent-port.ts';
import type { Records } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly hub: Pick<AgentHub, 'deliver' | 'compare' | 'sessions' | 'close'>;
  readonly clock: Clock;
  readonly log: Logger;
};

const KINDS = ['assignment', 'agent'];
const PAUSE_MS = 1_000;

/**
 * Follows from the token until the signal aborts. Where the feed is lost all sessions start over: a
 * Hello tells what they lack.
 */
export const followAssignments = async (
  deps: Deps,
  from: string,
  signal: AbortSignal,
): Promise<void> => {
  let token: string | undefined = from;
  while (!signal.aborted) {
    try {
      token ??= await startOver(deps);
      for await (const batch of deps.store.changes.follow({ token, kinds: KINDS, signal })) {
        await deliver(deps, batch.changes);
        token = batch.token;
      }
    } catch (error) {
      if (signal.aborted) return;
      deps.log.warn({ err: error }, 'assignments cannot be followed now');
      if (isDomainError(error, 'out_of_range')) token = undefined;
      await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    }
  }
};

const startOver = async ({ store, hub }: Deps): Promise<string> => {
  const head = await store.changes.head();
  for (const session of [...hub.sessions()]) hub.close(session, 'RESUME_TOKEN_EXPIRED');
  return head;
};

const deliver = async (
  { store, records, hub }: Deps,
  changes: readonly ChangeEvent[],
): Promise<void> => {
  const of = (kind: string) =>
    changes.filter((change) => change.kind === kind).map((change) => change.uid);
  const [assignments, agents] = [of('assignment'), of('agent')];
  if (assignments.length > 0) {
    hub.deliver(await store.read((reader) => records.assignments.findMany(reader, assignments)));
  }
  if (agents.length > 0) await hub.compare(agents);
};
