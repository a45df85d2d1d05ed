/**
 * Servers whose agents told that they cannot reach the controller, looked at one after the other:
 * another agent of the pool may. What is told while too many wait is told again.
 */
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { AgentSession, Report } from '../agent-port.ts';
import type { ProviderView } from '../domain/capacity.ts';
import type { Controllers } from '../order-port.ts';
import type { Records } from '../ports.ts';

export type Unreached = {
  readonly note: (session: Pick<AgentSession, 'agentKey'>, reports: readonly Report[]) => void;
  /** Until the signal aborts. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'assignments'>;
  readonly controllers: Pick<Controllers, 'missed'>;
  readonly log: Logger;
  readonly find: (providerUid: string) => ProviderView | undefined;
};

const WAITING_MAX = 4_096;

export const createUnreached = (deps: Deps): Unreached => {
  /** By the uid of the machine, who told it. */
  const waiting = new Map<string, string>();
  let bell = Promise.withResolvers<void>();
  return {
    note: ({ agentKey }, reports) => {
      for (const report of reports) {
        if (report.kind !== 'observation') continue;
        if (report.seen.problem?.reason !== 'BMC_UNREACHABLE') waiting.delete(report.uid);
        else if (waiting.size < WAITING_MAX) waiting.set(report.uid, agentKey);
      }
      if (waiting.size > 0) bell.resolve();
    },
    work: async (signal) => {
      signal.addEventListener('abort', () => bell.resolve(), { once: true });
      while (!signal.aborted) {
        const [next] = waiting;
        if (next === undefined) {
          await bell.promise;
          bell = Promise.withResolvers<void>();
          continue;
        }
        const [uid, agentKey] = next;
        waiting.delete(uid);
        await look(deps, uid, agentKey).catch((error: unknown) => {
          if (!signal.aborted)
            deps.log.warn({ err: error, uid }, 'no other agent can be found now');
        });
      }
    },
  };
};

const look = async (deps: Deps, uid: string, agentKey: string): Promise<void> => {
  const rows = await deps.store.read((reader) => deps.records.assignments.findMany(reader, [uid]));
  const row = rows.find((one) => one.isServer && one.agentKey === agentKey);
  const provider = row && deps.find(row.providerUid);
  if (provider !== undefined) await deps.controllers.missed(provider, { agentKey, commandId: '' });
};
