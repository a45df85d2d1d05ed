import type { ConsoleWriter, GuestConsole } from '../../services/agent/drivers/qemu/console.ts';
import type { QemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import type { Logger } from '../../services/runtime/log.ts';
import { createSerialLine } from './serial-line.ts';
import type { LabSerial } from './server-port.ts';

/** The serial line of a guest, over all its boots. */
export type QemuSerial = {
  readonly line: LabSerial;
  /** Listens where there was an earlier boot, so that nothing of the next one is missed. */
  readonly beforeStart: () => Promise<void>;
  /** Listens where this was the first. */
  readonly afterStart: () => void;
};

export type QemuSerialDeps = {
  readonly name: string;
  readonly driver: QemuDriver;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

/** More than the console keeps: all of a first boot. */
const FIRST_BOOT_BYTES = 1024 * 1024;
/** What is typed faster than the guest takes it is lost, as on a line without flow control. */
const QUEUED_BYTES_MAX = 64 * 1024;

export const createQemuSerial = ({ name, driver, log, signal }: QemuSerialDeps): QemuSerial => {
  let listening = false;
  let writer: ConsoleWriter | undefined;
  let queuedBytes = 0;
  let last = Promise.resolve();

  const write = async (bytes: Uint8Array): Promise<void> => {
    try {
      if (signal.aborted) return;
      writer ??= newWriter(await driver.console(name));
      await writer.write(bytes, signal);
    } catch (error) {
      // Nobody hears what is typed at a server that is off.
      log.debug({ server: name, err: error }, 'serial input dropped');
    } finally {
      queuedBytes -= bytes.length;
    }
  };

  const newWriter = (console: GuestConsole): ConsoleWriter => {
    const opened = console.openWriter('controller');
    void opened.ended.then(() => {
      if (writer === opened) writer = undefined;
    });
    return opened;
  };

  const line = createSerialLine((bytes) => {
    if (queuedBytes + bytes.length > QUEUED_BYTES_MAX) return;
    queuedBytes += bytes.length;
    const copy = Uint8Array.from(bytes);
    last = last.then(() => write(copy));
  });

  const listen = async (historyBytes: number): Promise<void> => {
    listening = true;
    try {
      const console = await driver.console(name);
      for await (const chunk of console.read({ historyBytes, signal })) {
        if (chunk.kind === 'bytes') line.print(chunk.bytes);
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ server: name, err: error }, 'serial line not heard');
    } finally {
      listening = false;
    }
  };

  return {
    line: line.serial,
    beforeStart: async () => {
      if (!listening && (await driver.status(name)) !== null) void listen(0);
    },
    afterStart: () => {
      if (!listening) void listen(FIRST_BOOT_BYTES);
    },
  };
};
