/**
 * What a side does with the characters it gets: each once and in order, also when a packet comes
 * twice because its acknowledge was lost (IPMI 2.0 §15.11).
 */
import type { SolPacket } from './sol.ts';

export type SolReceiver = {
  /**
   * `room`: how many characters can be taken now. Undefined: there is nothing to acknowledge.
   */
  readonly take: (packet: SolPacket, room: number) => SolTaken | undefined;
};

export type SolTaken = {
  /** New characters. */
  readonly data: Buffer;
  readonly acknowledged: number;
  readonly accepted: number;
  /** Not all were taken; the rest is to be sent again. */
  readonly isPartial: boolean;
};

export const createSolReceiver = (): SolReceiver => {
  let last = 0;
  let taken = 0;
  return {
    take: ({ sequence, data }, room) => {
      if (sequence === 0) return undefined;
      if (sequence !== last) {
        last = sequence;
        taken = 0;
      }
      const fresh = data.subarray(taken, taken + room);
      taken += fresh.length;
      const accepted = Math.min(taken, data.length);
      return { data: fresh, acknowledged: sequence, accepted, isPartial: accepted < data.length };
    },
  };
};
