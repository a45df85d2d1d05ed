/**
 * Finds the first line of a kernel in what a serial port writes: the moment a machine has left its
 * firmware.
 */
export type KernelLineScanner = {
  /** The line, once, when it is complete; null before and after. */
  readonly push: (bytes: Uint8Array) => string | null;
};

// Either the banner or any line with the kernel's own time in front.
const KERNEL_LINE = /(?:\[ *\d+\.\d{6}\] |Linux version )[^\r\n]*(?=[\r\n])/;
const KEPT_CHARACTERS = 1_024;
const LINE_CHARACTERS_MAX = 200;

export const createKernelLineScanner = (): KernelLineScanner => {
  let pending = '';
  let found = false;
  return {
    push: (bytes) => {
      if (found) return null;
      pending += Buffer.from(bytes).toString('latin1');
      const line = KERNEL_LINE.exec(pending)?.[0];
      pending = pending.slice(-KEPT_CHARACTERS);
      if (line === undefined) return null;
      found = true;
      return line.slice(0, LINE_CHARACTERS_MAX);
    },
  };
};
