/**
 * Reads that a controller answers only in small parts: it says so by one of several codes, and from
 * then on it is asked for less (IPMI 2.0 §33.12, §34.2).
 */
import { CODE } from '../wire/completion-code.ts';

export type PartSize = {
  readonly bytes: () => number;
  /** True: ask again, for less. */
  readonly isTooLarge: (code: number) => boolean;
};

const SIZES = [32, 16, 8];
const TOO_LARGE: ReadonlySet<number> = new Set([
  ...[CODE.wrongLength, CODE.lengthLimit, CODE.outOfRange, CODE.cannotReturnThatMany],
  // "Unspecified", which some answer to everything they cannot do.
  0xff,
]);

export const createPartSize = (): PartSize => {
  let index = 0;
  return {
    bytes: () => SIZES[index] ?? 8,
    isTooLarge: (code) => {
      if (!TOO_LARGE.has(code) || index + 1 >= SIZES.length) return false;
      index += 1;
      return true;
    },
  };
};
