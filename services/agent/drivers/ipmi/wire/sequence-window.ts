/**
 * Which packets of a session are new (IPMI 2.0 §6.12.11 to §6.12.13): up to 15 ahead of the newest
 * and 16 behind it, each once. Anything else was replayed or is from another session.
 */
export const AHEAD_MAX = 15;
/**
 * For consoles, which would be deaf for ever after more packets in a row were lost than the
 * specification's 15, as in a few seconds without a network. What is ahead and authenticates cannot
 * have been replayed.
 */
export const ANY_AHEAD = 2 ** 31 - 1;
const BEHIND_MAX = 16;
const BITS = 32;
const WRAP = 2 ** 32;

export type SequenceWindow = {
  /** True exactly once for each number in the window. Ask only for what has authenticated. */
  readonly take: (sequence: number) => boolean;
};

export const createSequenceWindow = (aheadMax: number): SequenceWindow => {
  let newest: number | undefined;
  /** Bit n: newest − n was seen. */
  let seen = 0;
  return {
    take: (sequence) => {
      // 0 is what packets outside of a session carry.
      if (sequence === 0) return false;
      if (newest === undefined) {
        newest = sequence;
        seen = 1;
        return true;
      }
      const ahead = (sequence - newest + WRAP) % WRAP;
      if (ahead !== 0 && ahead <= aheadMax) {
        seen = ahead < BITS ? (seen << ahead) | 1 : 1;
        newest = sequence;
        return true;
      }
      const behind = (newest - sequence + WRAP) % WRAP;
      if (behind > BEHIND_MAX || (seen & (1 << behind)) !== 0) return false;
      seen |= 1 << behind;
      return true;
    },
  };
};

/** The number after this one; 0 is skipped when it wraps. */
export const nextSequence = (sequence: number): number =>
  (sequence + 1) % WRAP === 0 ? 1 : sequence + 1;
