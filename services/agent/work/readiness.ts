import { connect } from 'node:net';
import type { VirtualMachine } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { GuestRecord, Journal } from '../journal.ts';
import type { ForwardSpec, GuestDriver } from '../ports.ts';

type ReadinessDeps = {
  readonly journal: Journal;
  readonly driver: GuestDriver;
  readonly clock: Clock;
  readonly log: Logger;
};

export type ReadinessWatch = {
  readonly deps: ReadinessDeps;
  readonly uid: string;
  readonly machine: VirtualMachine;
  readonly forwards: readonly ForwardSpec[];
  readonly bootCount: number;
  /** Called once it is ready. */
  readonly changed: () => void;
};

const PROBE_MS = 500;
const WATCH_LIMIT_MS = 24 * 3600 * 1000;

/**
 * Ready by what the record already says: the guest phoned home, or it runs and nothing more is
 * asked.
 */
export const isReadyByRecord = (machine: VirtualMachine, record: GuestRecord): boolean => {
  const condition = machine.readyWhen?.condition.case;
  if (condition === 'phoneHome') return record.phoneHomeAtMs > 0;
  return condition === undefined || condition === 'running';
};

/** Watches one boot until its port answers or its console shows the text, and records when. */
export const watchReadiness = (watch: ReadinessWatch): AbortController => {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(WATCH_LIMIT_MS)]);
  fulfilled(watch, signal).then(
    () => markReady(watch),
    (error: unknown) => {
      if (!signal.aborted)
        watch.deps.log.warn({ uid: watch.uid, err: error }, 'readiness is unknown');
    },
  );
  return ended;
};

const markReady = ({ deps, uid, bootCount, changed }: ReadinessWatch): void => {
  const record = deps.journal.guest(uid);
  if (record.bootCount !== bootCount || record.readyAtMs > 0 || record.startedAtMs === 0) return;
  deps.journal.saveGuest(uid, { ...record, readyAtMs: deps.clock.now().getTime() });
  changed();
};

const fulfilled = async (watch: ReadinessWatch, signal: AbortSignal): Promise<void> => {
  const condition = watch.machine.readyWhen?.condition;
  switch (condition?.case) {
    case 'tcpPort':
      return tcpAnswers(watch, condition.value, signal);
    case 'consoleText':
      return consoleShows(watch, condition.value, signal);
    default:
      return undefined;
  }
};

const tcpAnswers = async (
  { deps, forwards }: ReadinessWatch,
  guestPort: number,
  signal: AbortSignal,
): Promise<void> => {
  const forward = forwards.find((one) => one.guestPort === guestPort && one.protocol === 'tcp');
  if (!forward) throw new Error(`no forward leads to port ${guestPort} of the guest`);
  while (!(await banner(forward))) await deps.clock.sleep(PROBE_MS, signal);
};

/**
 * User-mode networking accepts every connection itself and closes it when the guest refuses, so
 * only a connection that stays open for a moment, or says something, counts.
 */
const banner = (forward: ForwardSpec): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(forward.hostPort, forward.hostAddress);
    const end = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => end(true));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });

const consoleShows = async (
  { deps, uid }: ReadinessWatch,
  text: string,
  signal: AbortSignal,
): Promise<void> => {
  const order = { uid, readOnly: true, replayBytes: 0, by: 'readiness' };
  const console = await deps.driver.openConsole(order, signal);
  try {
    let tail = '';
    for await (const output of console.output) {
      signal.throwIfAborted();
      if (output.kind === 'closed') throw new Error(`the console closed: ${output.why}`);
      if (output.kind !== 'data') continue;
      tail += Buffer.from(output.bytes).toString('latin1');
      if (Buffer.from(tail, 'latin1').includes(Buffer.from(text))) return;
      tail = tail.slice(-1024);
    }
  } finally {
    console.close();
  }
};
