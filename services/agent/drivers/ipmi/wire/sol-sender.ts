/**
 * What a side does with the characters it sends: one packet at a time, again until it is
 * acknowledged, the rest of one that was taken in part under the next number (IPMI 2.0 §15.10).
 */
import { nextSolSequence, type SolPacket } from './sol.ts';

export type SolSender = {
  readonly push: (bytes: Uint8Array) => void;
  /** How many characters are not acknowledged yet. */
  readonly waiting: () => number;
  /**
   * What to send next, undefined while one is under way or there is nothing. With `again` the one
   * under way.
   */
  readonly next: (again?: 'again') => Pick<SolPacket, 'sequence' | 'data'> | undefined;
  /** True when it acknowledged what is under way, in full or in part. */
  readonly acknowledge: (packet: SolPacket, nackFlag: number) => boolean;
  /** Drops what waits. */
  readonly clear: () => void;
};

export const createSolSender = (packetBytesMax: number): SolSender => {
  let queue: Buffer = Buffer.alloc(0);
  let sequence = 0;
  let flying: Buffer | undefined;
  return {
    push: (bytes) => {
      queue = Buffer.concat([queue, bytes]);
    },
    waiting: () => queue.length,
    next: (again) => {
      if (flying !== undefined) return again ? { sequence, data: flying } : undefined;
      if (queue.length === 0) return undefined;
      sequence = nextSolSequence(sequence);
      flying = queue.subarray(0, packetBytesMax);
      return { sequence, data: flying };
    },
    acknowledge: ({ acknowledged, accepted, flags }, nackFlag) => {
      if (flying === undefined || acknowledged !== sequence) return false;
      const isNack = (flags & nackFlag) !== 0;
      // Some leave the count at 0 in a plain acknowledge.
      const taken = isNack ? Math.min(accepted, flying.length) : flying.length;
      queue = queue.subarray(taken);
      flying = undefined;
      return true;
    },
    clear: () => {
      queue = Buffer.alloc(0);
      flying = undefined;
    },
  };
};
