/**
 * Which replicas stand for a partition: each has a weight for each partition by rendezvous hashing
 * (https://doi.org/10.1109/90.663936), so that partitions are spread and few move when a replica
 * comes or goes. The first leads, the second is its standby, the others do not stand.
 */
import { keyOf } from '../domain/claim.ts';
import { shuffleKey } from '../domain/shuffle.ts';

/** Place of a replica among those that are alive, 0 = the first. By address. */
export const seatRank = (addresses: readonly string[], own: string, partition: string): number => {
  const weigh = (address: string): number => shuffleKey(keyOf(partition), address);
  const ownWeight = weigh(own);
  let rank = 0;
  for (const address of new Set(addresses)) {
    if (address === own) continue;
    const weight = weigh(address);
    if (weight > ownWeight || (weight === ownWeight && address < own)) rank += 1;
  }
  return rank;
};

/** So many replicas stand for one partition. */
export const SEATS = 2;

export type Lead = { readonly partition: string; readonly address: string };

/**
 * A partition that this replica should hand to the replica that comes first for it: it leads more
 * than its share, the other one less. undefined = none.
 */
export const partitionToHandOver = (
  leads: readonly Lead[],
  addresses: readonly string[],
  own: string,
): string | undefined => {
  const alive = [...new Set([...addresses, own])];
  const countOf = (address: string) => leads.filter((lead) => lead.address === address).length;
  const share = leads.length / alive.length;
  if (countOf(own) <= Math.ceil(share)) return undefined;
  return leads.find(({ partition, address }) => {
    if (address !== own) return false;
    const first = alive.find((one) => seatRank(alive, one, partition) === 0);
    return first !== undefined && first !== own && countOf(first) < Math.floor(share) + 1;
  })?.partition;
};
