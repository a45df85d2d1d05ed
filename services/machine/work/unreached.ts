/**
 * Servers whose agents told that they cannot work at the controller, looked at one after the
 * other: another agent of the pool may reach it; that it refuses the secret is the provider's
 * problem. What is told while too many wait is told again.
 */
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { AgentSession, Report } from '../agent-port.ts';
import type { ProviderView } from '../domain/capacity.ts';
import type { Controllers } from '../order-port.ts';
import type { Records } from '../ports.ts';
import { type CredentialNews, REFUSED } from './credential-news.ts';

export type Unreached = {
  readonly note: (session: Pick<AgentSession, 'agentKey'>, reports: readonly Report[]) => void;
  /** Until the signal aborts. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'assignments'>;
  readonly controllers: Pick<Controllers, 'missed'>;
  readonly credentials: CredentialNews;
  readonly log: Logger;
  readonly find: (providerUid: string) => ProviderView | undefined;
};

const WAITING_MAX = 4_096;
const REASONS: ReadonlySet<string> = new Set(['BMC_UNREACHABLE', REFUSED]);

type Told = { readonly agentKey: string; readonly reason: string; readonly message: string };

export const createUnreached = (deps: Deps): Unreached => {
  /** By the uid of the machine, who told it, and what. */
  const waiting = new Map<string, Told>();
  let bell = Promise.withResolvers<void>();
  return {
    note: ({ agentKey }, reports) => {
      for (const report of reports) {
        if (report.kind !== 'observation') continue;
        const { reason = '', message = '' } = report.seen.problem ?? {};
        if (!REASONS.has(reason)) waiting.delete(report.uid);
        else if (waiting.size < WAITING_MAX) waiting.set(report.uid, { agentKey, reason, message });
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
        const [uid, told] = next;
        waiting.delete(uid);
        await look(deps, uid, told).catch((error: unknown) => {
          if (!signal.aborted)
            deps.log.warn({ err: error, uid }, 'what an agent told is not heeded now');
        });
      }
    },
  };
};

const look = async (
  deps: Deps,
  uid: string,
  { agentKey, reason, message }: Told,
): Promise<void> => {
  const rows = await deps.store.read((reader) => deps.records.assignments.findMany(reader, [uid]));
  const row = rows.find((one) => one.isServer && one.agentKey === agentKey);
  const provider = row && deps.find(row.providerUid);
  if (provider === undefined) return;
  if (reason === REFUSED) await deps.credentials.refused(provider, message);
  else await deps.controllers.missed(provider, { agentKey, commandId: '' });
};
