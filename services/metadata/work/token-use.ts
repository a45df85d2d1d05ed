import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { TokenRecords } from '../ports.ts';

export type TokenUse = {
  /** Cheap; called on every introspection. */
  readonly note: (uid: string) => void;
  /** Writes once a minute until the signal aborts, and what is left then. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly store: Pick<SqlStore, 'transaction'>;
  readonly records: { readonly tokens: Pick<TokenRecords, 'noteUse'> };
  readonly clock: Clock;
  readonly log: Logger;
};

const FLUSH_MS = 60_000;
/** Beyond this many tokens in a minute the rest is noted a minute later. */
const NOTED_MAX = 10_000;
const ACTOR = { principal: 'services/metadata', requestId: 'token use' };

/**
 * When tokens were used last, to about a minute: one transaction a minute instead of one a call.
 */
export const createTokenUse = ({ store, records, clock, log }: Deps): TokenUse => {
  let noted = new Map<string, number>();
  const flush = async (): Promise<void> => {
    const now = noted;
    noted = new Map();
    if (now.size === 0) return;
    try {
      await store.transaction(undefined, ACTOR, async (tx) => {
        for (const [uid, atMs] of now) await records.tokens.noteUse(tx, uid, atMs);
      });
    } catch (error) {
      // Only a convenience is lost, and the next use notes it again.
      log.warn({ err: error, tokens: now.size }, 'times of last use could not be written');
      if (!isDomainError(error)) throw error;
    }
  };
  return {
    note: (uid) => {
      if (noted.size < NOTED_MAX || noted.has(uid)) noted.set(uid, clock.now().getTime());
    },
    work: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(FLUSH_MS, signal).catch(() => undefined);
        await flush();
      }
    },
  };
};
