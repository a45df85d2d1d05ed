import { failedPrecondition } from '../../errors.ts';
import { HOPS } from '../on-behalf-of.ts';
import type { Stage } from './stage.ts';

/**
 * Refuses a call that went through too many of our processes: two replicas that each think the
 * other is the owner.
 */
export const hopLimitStage = (hopsMax: number): Stage => ({
  name: 'hop limit',
  begin: (call) => {
    const header = call.peer.header(HOPS);
    // Only services forward; what others send under this name says nothing.
    if (header === undefined || call.actor.kind !== 'service') return undefined;
    const hops = /^\d{1,4}$/.test(header) ? Number(header) : hopsMax + 1;
    call.hops = hops;
    if (hops <= hopsMax) return undefined;
    throw failedPrecondition(
      'HOP_LIMIT',
      `The call went through ${hops} processes; at most ${hopsMax} are allowed`,
      { metadata: { hops: String(hops), limit: String(hopsMax) } },
    );
  },
});
