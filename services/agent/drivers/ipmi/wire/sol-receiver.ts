/**
 * What a side does with the characters it gets: each once and in order, also when a packet comes
 * twice because its acknowledge was lost (IPMI 2.0 §15.11).
 */
import type { SolPacket } from './sol.ts';

export type SolReceiver = {
  /**
   * `room`: how many characters can be taken now. Undefined: there is nothing to acknowledge, or no
   * room for any; then the sender tries again by itself.
   */
  readonly take: (packet: SolPacket, room: number) => SolTaken | undefined;
};

export type SolTaken = {
  /** New characters. */
  readonly data: Buffer;
  readonly acknowledged: number;
  readonly accepted: number;
  /** Not all were taken; the rest is to be sent under the next number. */
  readonly isPartial: boolean;
};

export const createSolReceiver = (): SolReceiver => {
  let last = 0;
  let accepted = 0;
  return {
    take: ({ sequence, data }, room) => {
      if (sequence === 0) return undefined;
      if (sequence === last) {
        // Never more of it than the first time: the rest may be on its way under the next number.
        const isPartial = accepted < data.length;
        return { data: Buffer.alloc(0), acknowledged: sequence, accepted, isPartial };
      }
      if (room <= 0 && data.length > 0) return undefined;
      last = sequence;
      accepted = Math.min(data.length, room);
      const isPartial = accepted < data.length;
      return { data: data.subarray(0, accepted), acknowledged: sequence, accepted, isPartial };
    },
  };
};
