/**
 * How operations are read and written: those that come together in one statement and one
 * transaction, each for itself all the same.
 */
import { isDomainError } from '../../runtime/errors.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { agentKeyOf } from '../domain/capacity.ts';
import type { Operation } from '../domain/operation.ts';
import type { Grip, SeenAgent, SeenOperation } from '../operation-ports.ts';
import type { MachineChange, MachineWriter, Records } from '../ports.ts';
import { createGathered } from './gathered.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'operations' | 'agents'>;
  readonly writer: Pick<MachineWriter, 'writeNext'>;
};

export type Entry = {
  readonly uid: string;
  readonly grip: Grip;
  /** Absent: its row is only taken or let go. */
  readonly operation?: Operation;
  readonly change?: MachineChange;
};

/**
 * outdated: the machine's row was written since it was read; taken: the operation's row was, or
 * somebody holds it. Then nothing of the entry is written.
 */
export type Outcome = 'written' | 'outdated' | 'taken';

export type Journal = {
  /** By its lower-case name. */
  readonly agent: (agentKey: string) => Promise<SeenAgent | undefined>;
  readonly look: (uid: string) => Promise<SeenOperation | undefined>;
  /** Errors: those of a transaction; aborted BUSY when its place in a claim is taken. */
  readonly write: (entry: Entry) => Promise<Outcome>;
};

const LOOKS_MAX = 64;
const ENTRIES_MAX = 32;

export const createJournal = (deps: Deps): Journal => {
  const { store, records } = deps;
  const write = createGathered<Entry, Outcome | Error>(
    (entries) => writeAll(deps, entries),
    ENTRIES_MAX,
  );
  return {
    agent: createGathered(async (keys) => {
      const agents = await store.read((reader) =>
        records.agents.findManyByKey(reader, [...new Set(keys)]),
      );
      const known = new Map(agents.map((agent) => [agentKeyOf(agent), agent]));
      return keys.map((key) => known.get(key));
    }, LOOKS_MAX),
    look: createGathered(async (uids) => {
      const seen = await store.read((reader) => records.operations.look(reader, uids));
      return uids.map((uid) => seen.get(uid));
    }, LOOKS_MAX),
    write: async (entry) => {
      const outcome = await write(entry);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
};

/** The machine is written, and its operation is not to be: all of the transaction is undone. */
class Taken extends Error {}

type Written = readonly (Outcome | Error)[];

const writeAll = async (deps: Deps, entries: readonly Entry[]): Promise<Written> => {
  const actor = { principal: 'services/machine', requestId: entries[0]?.uid ?? '' };
  try {
    return await deps.store.transaction(undefined, actor, (tx) => writeIn(deps, tx, entries));
  } catch (error) {
    if (entries.length > 1 && !isDomainError(error, 'unavailable')) return eachAlone(deps, entries);
    if (error instanceof Taken) return ['taken'];
    throw error;
  }
};

/** One of them is the cause: alone it shows which, and the others are written without it. */
const eachAlone = async (deps: Deps, entries: readonly Entry[]): Promise<Written> => {
  const written: (Outcome | Error)[] = [];
  for (const entry of entries) {
    const [one] = await Promise.allSettled([writeAll(deps, [entry])]);
    if (one?.status === 'fulfilled') written.push(...one.value);
    else written.push(one?.reason instanceof Error ? one.reason : new Error('not written'));
  }
  return written;
};

const writeIn = async (
  { records, writer }: Deps,
  tx: Tx,
  entries: readonly Entry[],
): Promise<readonly Outcome[]> => {
  const outcomes = new Map<Entry, Outcome>();
  const byChange = new Map(
    entries.flatMap((entry) => (entry.change ? [[entry.change, entry]] : [])),
  );
  await writer.writeNext(tx, [...byChange.keys()], async (changes) => {
    const changed = changes.flatMap((change) => byChange.get(change) ?? []);
    const alone = entries.filter(({ change }) => change === undefined);
    const gripped = [...changed, ...alone].flatMap(({ operation, grip }) =>
      operation === undefined ? [] : [{ operation, grip }],
    );
    const written = await records.operations.write(tx, gripped);
    if (changed.some(({ uid }) => !written.has(uid))) throw new Taken();
    for (const entry of [...changed, ...alone]) {
      const isWritten =
        entry.operation === undefined
          ? await records.operations.hold(tx, entry.uid, entry.grip)
          : written.has(entry.uid);
      outcomes.set(entry, isWritten ? 'written' : 'taken');
    }
  });
  return entries.map((entry) => outcomes.get(entry) ?? 'outdated');
};
