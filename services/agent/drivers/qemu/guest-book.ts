/**
 * The guests this driver knows: their records on disk, their consoles, and the processes of those
 * that run. Whoever changes a guest does so in its turn (turns.ts); an entry is loaded at its first
 * use, and its process adopted then.
 */
import type { Clock } from '../../../runtime/clock.ts';
import { createGuestConsole, type OwnedConsole } from './console.ts';
import { readLogTail } from './console-log.ts';
import {
  type GuestExit,
  type GuestPaths,
  type GuestRecord,
  guestPaths,
  listGuestNames,
  readRecord,
  writeRecord,
} from './guest-record.ts';
import { type LiveGuest, watchGuest } from './live-guest.ts';
import type { PortAllocator } from './port-allocator.ts';
import { identifyByPidFile } from './process.ts';
import type { DriverLog } from './program.ts';
import type { Launched, Supervisor } from './supervisor.ts';
import type { Turns } from './turns.ts';

/** What happened to a guest. After a restart of ours `started` is told again, as adopted. */
export type GuestEvent = {
  readonly name: string;
  readonly bootCounter: number;
  readonly at: Date;
} & GuestHappening;

export type GuestHappening =
  | { readonly kind: 'started'; readonly pid: number; readonly adopted: boolean }
  | { readonly kind: 'kernel_line'; readonly line: string }
  /** `serialTail` is what the guest wrote last, for people to read. */
  | { readonly kind: 'ended'; readonly exit: GuestExit; readonly serialTail: string };

export type GuestEntry = {
  readonly name: string;
  readonly paths: GuestPaths;
  readonly console: OwnedConsole;
  record: GuestRecord;
  /** Null while no process runs. */
  live: LiveGuest | null;
  /** Resolves when the end of the last process stands in the record. */
  finished: Promise<void>;
};

export type GuestBookDeps = {
  readonly guestsDir: string;
  readonly socketsDir: string;
  readonly supervisor: Supervisor;
  readonly ports: PortAllocator;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly log: DriverLog;
  readonly onEvent: (event: GuestEvent) => void;
};

export type GuestBook = {
  /**
   * The guest, adopted where it runs; null when there is none of that name. Takes a turn if it is
   * not loaded.
   */
  readonly find: (name: string) => Promise<GuestEntry | null>;
  /** The same for who holds the guest's turn. */
  readonly load: (name: string) => Promise<GuestEntry | null>;
  readonly loaded: () => readonly GuestEntry[];
  /** In the guest's turn: makes or replaces the record. */
  readonly put: (record: GuestRecord) => Promise<GuestEntry>;
  /** In the guest's turn. */
  readonly save: (entry: GuestEntry, change: Partial<GuestRecord>) => Promise<void>;
  readonly watch: (entry: GuestEntry, launched: Launched & { readonly adopted: boolean }) => void;
  readonly forget: (entry: GuestEntry) => void;
  /** Takes the ports in all records, also of guests that are not loaded. */
  readonly reservePorts: () => Promise<void>;
};

const SERIAL_TAIL_BYTES = 2_000;

export const createGuestBook = (deps: GuestBookDeps): GuestBook => {
  const entries = new Map<string, GuestEntry>();
  let portsReserved = false;

  const emit = (entry: GuestEntry, happening: GuestHappening): void =>
    deps.onEvent({
      ...happening,
      name: entry.name,
      bootCounter: entry.record.bootCounter,
      at: deps.clock.now(),
    });

  /** Work that nobody waits for, in the guest's turn, unless the guest is gone by then. */
  const later = async (entry: GuestEntry, work: () => Promise<void>): Promise<void> => {
    try {
      await deps.turns.take(entry.name, async () => {
        if (entries.get(entry.name) === entry) await work();
      });
    } catch (error) {
      deps.log.error({ guest: entry.name, err: error }, 'guest record not written');
    }
  };

  const save = async (entry: GuestEntry, change: Partial<GuestRecord>): Promise<void> => {
    entry.record = { ...entry.record, ...change };
    await writeRecord(entry.paths.record, entry.record);
  };

  const newEntry = (record: GuestRecord): GuestEntry => {
    const name = record.spec.name;
    const paths = guestPaths(deps.guestsDir, deps.socketsDir, name);
    const { clock, log } = deps;
    const onKernelLine = (line: string): void => {
      emit(entry, { kind: 'kernel_line', line });
      void later(entry, () => save(entry, { kernelLineAt: clock.now().toISOString() }));
    };
    const console = createGuestConsole({ name, ...paths, clock, log, onKernelLine });
    const entry: GuestEntry = {
      ...{ name, paths, console, record, live: null, finished: Promise.resolve() },
    };
    entries.set(name, entry);
    deps.ports.reserve(name, record.forwards);
    return entry;
  };

  const finish = async (entry: GuestEntry, exit: GuestExit): Promise<void> => {
    entry.live = null;
    await save(entry, { phase: 'exited', exit });
    const serialTail = (await readLogTail(entry.paths.serialLog, SERIAL_TAIL_BYTES)).toString();
    emit(entry, { kind: 'ended', exit, serialTail });
  };

  const watch: GuestBook['watch'] = (entry, { identity, exited, adopted }) => {
    const { name, paths, console, record } = entry;
    const { supervisor, clock, log } = deps;
    const live = watchGuest({
      ...{ name, console, identity, exited, adopted, supervisor, clock, log },
      uuid: record.spec.uuid,
      qmpSocket: paths.qmpSocket,
      outputPath: paths.output,
      onAnswered: () => emit(entry, { kind: 'started', pid: identity.pid, adopted }),
    });
    entry.live = live;
    entry.finished = live.ended.then(async (exit) => {
      if (exit !== null) await later(entry, () => finish(entry, exit));
    });
  };

  const adopt = async (entry: GuestEntry): Promise<void> => {
    const { record, paths, console } = entry;
    if (record.phase === 'exited') return;
    const identity = record.process ?? (await identifyByPidFile(paths.pidFile));
    if (identity !== null && (await deps.supervisor.isRunning(identity))) {
      if (record.phase === 'launching') {
        await save(entry, { phase: 'launched', process: identity });
      }
      if (record.kernelLineAt === null) await console.resumeBoot(record.serialLogOffsetBytes);
      watch(entry, { identity, exited: null, adopted: true });
      return;
    }
    const kind = record.process === null ? 'not_started' : 'unwatched';
    const detail = 'gone when its agent came back';
    await finish(entry, { kind, detail, at: deps.clock.now().toISOString() });
  };

  const load = async (name: string): Promise<GuestEntry | null> => {
    const known = entries.get(name);
    if (known !== undefined) return known;
    const record = await readRecord(guestPaths(deps.guestsDir, deps.socketsDir, name).record);
    if (record === null) return null;
    const entry = newEntry(record);
    await adopt(entry);
    return entry;
  };

  return {
    find: async (name) => entries.get(name) ?? (await deps.turns.take(name, () => load(name))),
    load,
    loaded: () => [...entries.values()],
    put: async (record) => {
      const entry = entries.get(record.spec.name) ?? newEntry(record);
      await save(entry, record);
      return entry;
    },
    save,
    watch,
    forget: (entry) => {
      entries.delete(entry.name);
      entry.console.end();
      deps.ports.release(entry.name);
    },
    reservePorts: async () => {
      if (portsReserved) return;
      for (const name of await listGuestNames(deps.guestsDir)) {
        const { record: path } = guestPaths(deps.guestsDir, deps.socketsDir, name);
        const record = await readRecord(path).catch(() => null);
        if (record !== null) deps.ports.reserve(name, record.forwards);
      }
      portsReserved = true;
    },
  };
};
