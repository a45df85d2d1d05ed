import type { LabSerial } from './server-port.ts';

/** A serial line whose other end is ours: what the machine prints, and what it is given. */
export type SerialLine = {
  readonly serial: LabSerial;
  readonly print: (bytes: Uint8Array) => void;
};

export const createSerialLine = (written: (bytes: Uint8Array) => void): SerialLine => {
  // Made with the first listener: ten thousand idle servers have none.
  let listeners: Set<(bytes: Uint8Array) => void> | undefined;
  return {
    serial: {
      listen: (heard) => {
        listeners ??= new Set();
        listeners.add(heard);
        return () => listeners?.delete(heard);
      },
      write: written,
    },
    print: (bytes) => {
      for (const heard of listeners ?? []) heard(bytes);
    },
  };
};
