/**
 * The edge of a simulated process. Code of ours runs only when something reaches it: a timer, an
 * answer, a message. A closed gate holds all of them back, which is what SIGSTOP does. Opened,
 * messages arrive first, in an order of chance, and timers when the process gets to them: it acts
 * before it notices how late it is. A gate that is never opened again is kill -9.
 */
import type { Transport } from '@connectrpc/connect';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type {
  Coordination,
  Lease,
  Transaction,
} from '../../../services/store/coordination/port.ts';

export type Gate = {
  readonly isOpen: () => boolean;
  readonly close: () => void;
  /** Closes when the process is about to send its next commit: it has decided, not written. */
  readonly closeAtCommit: () => void;
  /** Resolves when a commit may leave the process. */
  readonly passCommit: () => Promise<void>;
  readonly open: () => void;
  /** Resolves when the process runs. */
  readonly pass: () => Promise<void>;
  /** Resolves when the process runs and has got to its timers. */
  readonly passTimer: () => Promise<void>;
};

/** Each message is worked on for some turns of the event loop before the next is read. */
const oneByOne = async (wakes: readonly (() => void)[]): Promise<void> => {
  for (const wake of wakes) {
    wake();
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
};

/** Timers of a process that was woken are late by up to this. */
const LATE_TIMERS_MS = 150;

export const createGate = (clock: Clock, random: Random): Gate => {
  let isOpen = true;
  let closesAtCommit = false;
  let timersFromMs = 0;
  let waiting: (() => void)[] = [];
  const stoppedCommits: (() => void)[] = [];
  const pass = async (): Promise<void> => {
    while (!isOpen) {
      await new Promise<void>((wake) => {
        waiting.push(wake);
      });
    }
  };
  return {
    isOpen: () => isOpen,
    close: () => {
      isOpen = false;
    },
    closeAtCommit: () => {
      closesAtCommit = true;
    },
    passCommit: async () => {
      if (!closesAtCommit) return pass();
      closesAtCommit = false;
      isOpen = false;
      await new Promise<void>((wake) => {
        stoppedCommits.push(wake);
      });
    },
    open: () => {
      isOpen = true;
      closesAtCommit = false;
      timersFromMs = clock.monotonicMs() + random.fraction() * LATE_TIMERS_MS;
      const woken = waiting.map((wake) => ({ wake, order: random.fraction() }));
      waiting = [];
      const inOrder = woken.toSorted((a, b) => a.order - b.order).map(({ wake }) => wake);
      // What was being sent when the process stopped leaves before it reads anything new.
      oneByOne([...stoppedCommits.splice(0), ...inOrder]);
    },
    pass,
    passTimer: async () => {
      await pass();
      for (;;) {
        const lateMs = timersFromMs - clock.monotonicMs();
        if (lateMs <= 0) return;
        await clock.sleep(lateMs);
        await pass();
      }
    },
  };
};

export type Skew = {
  /** Added to the wall clock, in milliseconds. */
  readonly wallMs: number;
  /** How fast its monotonic clock runs; 1 = right. */
  readonly rate: number;
};

/** The clock of a process: wrong in its own way, and without effect while it stands still. */
export const clockBehind = (clock: Clock, gate: Gate, { wallMs, rate }: Skew): Clock => ({
  now: () => new Date(clock.now().getTime() + wallMs),
  monotonicMs: () => clock.monotonicMs() * rate,
  sleep: async (ms, signal) => {
    await clock.sleep(ms / rate, signal);
    await gate.passTimer();
    signal?.throwIfAborted();
  },
});

/** The answer, good or bad, once the process runs. */
const held = async <T>(gate: Gate, answer: Promise<T>): Promise<T> => {
  try {
    return await answer;
  } finally {
    await gate.pass();
  }
};

export const coordinationBehind = (store: Coordination, gate: Gate): Coordination => {
  const leaseBehind = (lease: Lease): Lease => ({
    ...lease,
    keepAlive: (signal) => held(gate, lease.keepAlive(signal)),
    revoke: (signal) => held(gate, lease.revoke(signal)),
  });
  return {
    get: (...call) => held(gate, store.get(...call)),
    range: (...call) => held(gate, store.range(...call)),
    transact: async (transaction, signal) => {
      if (isCommit(keysOf(transaction))) await gate.passCommit();
      return held(gate, store.transact(transaction, signal));
    },
    grantLease: async (...call) => leaseBehind(await held(gate, store.grantLease(...call))),
    watch: async function* (options) {
      for await (const batch of store.watch(options)) {
        await gate.pass();
        yield batch;
      }
    },
    compact: (...call) => held(gate, store.compact(...call)),
    ping: (...call) => held(gate, store.ping(...call)),
    close: () => store.close(),
  };
};

const keysOf = ({ writes }: Transaction): readonly string[] =>
  writes.map((write) => ('put' in write ? write.put : ''));

/** True for the keys that a commit of a leader puts. */
export const isCommit = (keys: readonly string[]): boolean =>
  keys.some((key) => key.endsWith('/head'));

/** Answers and streams that come in to a process. */
export const transportBehind = (transport: Transport, gate: Gate): Transport => ({
  unary: (...call) => held(gate, transport.unary(...call)),
  stream: async (...call) => {
    const response = await held(gate, transport.stream(...call));
    const { message } = response;
    const gated = async function* () {
      for await (const one of message) {
        await gate.pass();
        yield one;
      }
    };
    return { ...response, message: gated() };
  },
});
