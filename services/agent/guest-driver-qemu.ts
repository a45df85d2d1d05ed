import { createHash } from 'node:crypto';
import { isDomainError } from '../runtime/errors.ts';
import type { WriterEnd } from './drivers/qemu/console.ts';
import type { ConsoleChunk } from './drivers/qemu/console-readers.ts';
import type { QemuDriver, GuestStatus as QemuStatus } from './drivers/qemu/guest.ts';
import type { GuestExit as QemuExit } from './drivers/qemu/guest-record.ts';
import { type BootSource, type GuestSpec, MEBIBYTE } from './drivers/qemu/guest-spec.ts';
import type {
  BootFiles,
  GuestConsole,
  GuestConsoleOutput,
  GuestDriver,
  GuestExit,
  GuestOrder,
  GuestPower,
  GuestStatus,
} from './ports.ts';

/** The qemu driver in the agent's words: a guest's name on this host is the uid of its machine. */
export const guestDriverOf = (qemu: QemuDriver): GuestDriver => ({
  start: async (order, signal) => {
    await qemu.start(specOf(order), { counter: order.bootCount, token: order.bootToken }, signal);
  },
  askPowerOff: (uid, signal) => unlessGone(qemu.shutdown(uid, signal)),
  kill: (uid, signal) => unlessGone(qemu.kill(uid, signal)),
  pause: (uid, signal) => unlessGone(qemu.pause(uid, signal)),
  resume: (uid, signal) => unlessGone(qemu.resume(uid, signal)),
  status: async (uid) => {
    const status = await qemu.status(uid);
    return status === null ? { power: 'off', bootCount: 0, forwards: [] } : statusOf(status);
  },
  list: async () => {
    const { guests, damaged } = await qemu.list();
    return [...guests.map((guest) => guest.name), ...damaged.map((guest) => guest.name)];
  },
  remove: (uid, signal) => qemu.remove(uid, signal),
  onEvent: (listener) => {
    qemu.onEvent((event) => {
      const { name: uid, bootCounter: bootCount, at } = event;
      if (event.kind === 'kernel_line') listener({ kind: 'kernel_started', uid, bootCount, at });
      else listener({ kind: 'changed', uid });
    });
  },
  openConsole: async (order, signal) => {
    const opened = await qemu.console(order.uid);
    const writer = order.readOnly ? undefined : opened.openWriter(order.by);
    const closed = new AbortController();
    const readSignal = AbortSignal.any([signal, closed.signal]);
    const chunks = opened.read({ historyBytes: order.replayBytes, signal: readSignal });
    const result: GuestConsole = {
      readOnly: order.readOnly,
      truncated: (await opened.readLog({ tailBytes: order.replayBytes })).truncated,
      output: outputOf(chunks, writer?.ended),
      write: (bytes) => {
        // A guest that is off, or a writer that was taken over, loses what is typed, as a serial
        // line does.
        writer?.write(bytes, readSignal).catch(() => undefined);
      },
      close: () => {
        writer?.close();
        closed.abort();
      },
    };
    return result;
  },
  readLog: async (uid, tailBytes) => (await qemu.console(uid)).readLog({ tailBytes }),
  stopAll: (limitMs) => qemu.stopAll({ limitMs }),
  close: async () => qemu.close(),
});

const unlessGone = async (verb: Promise<unknown>): Promise<void> => {
  try {
    await verb;
  } catch (error) {
    const isGone =
      isDomainError(error, 'not_found', 'GUEST_NOT_FOUND') ||
      isDomainError(error, 'failed_precondition', 'GUEST_OFF');
    if (!isGone) throw error;
  }
};

const POWER: Readonly<Record<QemuStatus['power'], GuestPower>> = {
  off: 'off',
  starting: 'on',
  running: 'on',
  stopping: 'on',
  paused: 'paused',
};

const statusOf = (status: QemuStatus): GuestStatus => ({
  power: POWER[status.power],
  bootCount: status.bootCounter,
  ...(status.exit ? { exit: exitOf(status.exit) } : {}),
  forwards: status.forwards,
});

const exitOf = (exit: QemuExit): GuestExit => {
  switch (exit.kind) {
    case 'powered_down':
      return { kind: 'powered_off_by_guest' };
    case 'guest_reset':
      return { kind: 'reset_by_guest' };
    case 'crashed':
      return { kind: 'crashed', detail: exit.detail };
    case 'stopped':
    // How it ended is not known, or it never ran: neither is the guest's wish nor a crash to count.
    case 'unwatched':
    case 'not_started':
      return { kind: 'stopped' };
  }
};

async function* outputOf(
  chunks: AsyncIterable<ConsoleChunk>,
  writerEnd: Promise<WriterEnd> | undefined,
): AsyncGenerator<GuestConsoleOutput> {
  const iterator = chunks[Symbol.asyncIterator]();
  let loss = writerEnd;
  let next = iterator.next();
  try {
    for (;;) {
      const first = await (loss === undefined ? next : Promise.race([next, loss]));
      if ('why' in first) {
        loss = undefined;
        if (first.why === 'taken_over') yield { kind: 'taken_over', by: first.by };
        continue;
      }
      if (first.done) return;
      next = iterator.next();
      if (first.value.kind === 'bytes') yield { kind: 'data', bytes: first.value.bytes };
      else yield { kind: 'closed', why: endText(first.value.why) };
    }
  } finally {
    await iterator.return?.();
  }
}

const endText = (why: string): string =>
  why === 'too_slow' ? 'this reader was too slow' : 'the machine is gone';

const specOf = (order: GuestOrder): GuestSpec => ({
  name: order.uid,
  uuid: order.uid,
  machine: 'q35',
  cpus: order.cpus,
  memoryBytes: Math.ceil(order.memoryBytes / MEBIBYTE) * MEBIBYTE,
  boot: bootOf(order, order.boot),
  disks:
    order.boot.kind !== 'disk' && order.diskBytes > 0
      ? [{ name: 'disk', sizeBytes: order.diskBytes }]
      : [],
  nics: [
    {
      mac: macOf(order.uid),
      forwards: order.forwards.map((forward) => ({
        ...forward,
        hostPort: forward.hostPort === 0 ? null : forward.hostPort,
      })),
    },
  ],
});

const bootOf = (order: GuestOrder, boot: BootFiles): BootSource => {
  switch (boot.kind) {
    case 'kernel':
      return {
        kind: 'kernel',
        kernelPath: boot.kernelPath,
        initrdPath: boot.initrdPath ?? null,
        commandLine:
          `${boot.commandLine} runm.hostname=${order.hostname}` +
          ` runm.phone_home=${order.phoneHomeUrl}`,
      };
    case 'disk':
      return {
        kind: 'image',
        path: boot.basePath,
        format: boot.format,
        sizeBytes: order.diskBytes > 0 ? order.diskBytes : null,
      };
    case 'media':
      return { kind: 'media', isoPath: boot.isoPath };
    case 'network':
      return { kind: 'network' };
    case 'none':
      return { kind: 'none' };
  }
};

/** Locally administered and the same at every boot; 52:54:00 is what qemu's own guests have. */
const macOf = (uid: string): string => {
  const digest = createHash('sha256').update(uid).digest();
  const tail = [...digest.subarray(0, 3)].map((byte) => byte.toString(16).padStart(2, '0'));
  return ['52', '54', '00', ...tail].join(':');
};
