/**
 * The agent's port to guests, on qemu: says the agent's words in the driver's. A guest is named by
 * its uid here and in qemu.
 */
import { createHash } from 'node:crypto';
import { failedPrecondition, isDomainError } from '../../../runtime/errors.ts';
import type {
  GuestConsole as AgentConsole,
  GuestExit as AgentExit,
  GuestStatus as AgentStatus,
  ConsoleOrder,
  GuestConsoleOutput,
  GuestDriver,
  GuestOrder,
} from '../../ports.ts';
import type { ConsoleWriter, GuestConsole } from './console.ts';
import type { GuestStatus, QemuDriver } from './guest.ts';
import type { GuestExit } from './guest-record.ts';
import { type BootSource, type GuestSpec, MEBIBYTE, ROOT_DISK } from './guest-spec.ts';
import type { DriverLog } from './program.ts';

export const createGuestDriver = (driver: QemuDriver, log: DriverLog): GuestDriver => ({
  start: async (order, signal) => {
    const { bootCounter } = await driver.start(
      specOf(order),
      { counter: order.bootCount, token: order.bootToken === '' ? null : order.bootToken },
      signal,
    );
    if (bootCounter !== order.bootCount) throw runsAnother(order, bootCounter);
  },
  askPowerOff: async (uid, signal) => {
    await driver.shutdown(uid, signal).catch(ignoreAbsent);
  },
  kill: async (uid, signal) => {
    await driver.kill(uid, signal).catch(ignoreAbsent);
  },
  pause: async (uid, signal) => {
    await driver.pause(uid, signal);
  },
  resume: async (uid, signal) => {
    await driver.resume(uid, signal);
  },
  status: async (uid) => {
    const status = await driver.status(uid);
    return status === null ? { power: 'off', bootCount: 0, forwards: [] } : statusOf(status);
  },
  list: async () => {
    const { guests, damaged } = await driver.list();
    return [...guests, ...damaged].map(({ name }) => name);
  },
  remove: driver.remove,
  onEvent: (listener) => {
    driver.onEvent((event) => {
      const uid = event.name;
      const { bootCounter: bootCount, at } = event;
      if (event.kind === 'kernel_line') listener({ kind: 'kernel_started', uid, bootCount, at });
      else listener({ kind: 'changed', uid });
    });
  },
  openConsole: async (order, signal) =>
    openConsole(await driver.console(order.uid), { order, signal, log }),
  readLog: async (uid, tailBytes) => (await driver.console(uid)).readLog({ tailBytes }),
  stopAll: (limitMs) => driver.stopAll({ limitMs }),
  close: driver.close,
});

const specOf = (order: GuestOrder): GuestSpec => {
  const hasOwnDisk = order.diskBytes > 0 && order.boot.kind !== 'disk';
  return {
    name: order.uid,
    uuid: order.uid,
    machine: 'q35',
    cpus: order.cpus,
    memoryBytes: Math.floor(order.memoryBytes / MEBIBYTE) * MEBIBYTE,
    boot: bootSourceOf(order),
    disks: hasOwnDisk ? [{ name: ROOT_DISK, sizeBytes: order.diskBytes }] : [],
    nics: [
      {
        mac: macOf(order.uid),
        forwards: order.forwards.map((forward) => ({
          ...forward,
          hostPort: forward.hostPort === 0 ? null : forward.hostPort,
        })),
      },
    ],
  };
};

const bootSourceOf = ({ boot, diskBytes, hostname, phoneHomeUrl }: GuestOrder): BootSource => {
  switch (boot.kind) {
    case 'kernel': {
      const ours = `runm.hostname=${hostname} runm.phone_home=${phoneHomeUrl}`;
      const { kernelPath, initrdPath = null } = boot;
      return { kind: 'kernel', kernelPath, initrdPath, commandLine: `${boot.commandLine} ${ours}` };
    }
    case 'disk': {
      const sizeBytes = diskBytes === 0 ? null : diskBytes;
      return { kind: 'image', path: boot.basePath, format: boot.format, sizeBytes };
    }
    case 'media':
    case 'network':
    case 'none':
      return boot;
  }
};

/** The same for each boot of a guest. 52:54:00 is what qemu guests have by convention. */
const macOf = (uid: string): string => {
  const digest = createHash('sha256').update(uid).digest('hex');
  return `52:54:00:${digest.slice(0, 2)}:${digest.slice(2, 4)}:${digest.slice(4, 6)}`;
};

const statusOf = (status: GuestStatus): AgentStatus => {
  const { power, bootCounter: bootCount, exit } = status;
  const forwards = status.forwards.map(({ nic: _nic, ...forward }) => forward);
  if (power === 'off') {
    return { power, bootCount, forwards, ...(exit === null ? {} : { exit: exitOf(exit) }) };
  }
  return { power: power === 'paused' ? 'paused' : 'on', bootCount, forwards };
};

const exitOf = ({ kind, detail }: GuestExit): AgentExit => {
  switch (kind) {
    case 'powered_down':
      return { kind: 'powered_off_by_guest' };
    case 'guest_reset':
      return { kind: 'reset_by_guest' };
    case 'stopped':
      return { kind: 'stopped' };
    case 'crashed':
    case 'unwatched':
    case 'not_started':
      return { kind: 'crashed', detail };
  }
};

const ignoreAbsent = (error: unknown): null => {
  if (isDomainError(error, 'not_found', 'GUEST_NOT_FOUND')) return null;
  throw error;
};

const runsAnother = (order: GuestOrder, bootCounter: number) =>
  failedPrecondition(
    'GUEST_RUNNING',
    `Cannot start boot ${order.bootCount} of guest "${order.uid}": boot ${bootCounter} runs`,
    { metadata: { uid: order.uid, running: String(bootCounter) } },
  );

/** What a slow guest has not taken yet; more is dropped, as a serial line does. */
const TYPED_BYTES_MAX = 64 * 1024;

const openConsole = async (
  guest: GuestConsole,
  { order, signal, log }: { order: ConsoleOrder; signal: AbortSignal; log: DriverLog },
): Promise<AgentConsole> => {
  const closed = new AbortController();
  const both = AbortSignal.any([signal, closed.signal]);
  const writer = order.readOnly ? null : guest.openWriter(order.by);
  const { truncated } = await guest.readLog({ tailBytes: order.replayBytes });
  return {
    readOnly: order.readOnly,
    truncated,
    output: outputOf(guest, { writer, signal: both, historyBytes: order.replayBytes }),
    write: writer === null ? () => undefined : typist(writer, { log, signal: both }),
    close: () => {
      writer?.close();
      closed.abort();
    },
  };
};

/** Writes in order without making the caller wait. */
const typist = (
  writer: ConsoleWriter,
  { log, signal }: { log: DriverLog; signal: AbortSignal },
): ((bytes: Uint8Array) => void) => {
  let pendingBytes = 0;
  let last = Promise.resolve();
  return (bytes) => {
    if (pendingBytes + bytes.length > TYPED_BYTES_MAX) return;
    pendingBytes += bytes.length;
    last = last
      .then(() => writer.write(bytes, signal))
      .catch((error: unknown) => log.debug({ err: error }, 'typed input did not reach the guest'))
      .finally(() => {
        pendingBytes -= bytes.length;
      });
  };
};

const ENDED = {
  too_slow: 'the reader did not keep up with the guest',
  removed: 'the guest was removed',
} as const;

type OutputOptions = {
  readonly writer: ConsoleWriter | null;
  readonly signal: AbortSignal;
  readonly historyBytes: number;
};

/** What the guest writes, with one word in between when somebody else took over the keyboard. */
async function* outputOf(
  guest: GuestConsole,
  { writer, signal, historyBytes }: OutputOptions,
): AsyncGenerator<GuestConsoleOutput, void, undefined> {
  const chunks = guest.read({ historyBytes, signal })[Symbol.asyncIterator]();
  let takeover = writer?.ended ?? null;
  let next = chunks.next();
  try {
    for (;;) {
      const first = await Promise.race(takeover === null ? [next] : [next, takeover]);
      if ('why' in first) {
        takeover = null;
        if (first.why === 'taken_over') yield { kind: 'taken_over', by: first.by };
        continue;
      }
      if (first.done === true) return;
      if (first.value.kind === 'ended') {
        yield { kind: 'closed', why: ENDED[first.value.why] };
        return;
      }
      yield { kind: 'data', bytes: first.value.bytes };
      next = chunks.next();
    }
  } finally {
    await chunks.return?.();
  }
}
