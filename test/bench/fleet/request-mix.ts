import type { MessageInitShape } from '@bufbuild/protobuf';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import type { ClaimSpecSchema } from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { WHOLE } from '../../../services/scheduler/domain/claim.ts';
import { type Fleet, rackId } from './fleet.ts';
import { CPU, GIB, MEMORY, PROFILES, type Profile } from './profile.ts';

export type Spec = MessageInitShape<typeof ClaimSpecSchema>;

const SERVERS = PROFILES.filter(({ type }) => type === 'bare-metal');
const SERVERS_PER_MILLE = SERVERS.reduce((sum, { perMille }) => sum + perMille, 0);

/**
 * What people ask for: half a whole server of some profile, a quarter any server of one rack, a
 * quarter a slice of a VM host. `draw` gives numbers in [0, 1).
 */
export const drawSpec = (fleet: Fleet, draw: () => number): Spec => {
  const kind = draw();
  if (kind < 0.5) return wholeBy(profileFor(draw()).mark);
  if (kind < 0.75) return wholeIn(rackId(Math.floor(draw() * fleet.racks)));
  return slice(1 + Math.floor(draw() * 8), 1 + Math.floor(draw() * 16));
};

/** In the proportion in which there are servers of each. */
const profileFor = (fraction: number): Profile => {
  let left = fraction * SERVERS_PER_MILLE;
  const found = SERVERS.find(({ perMille }) => {
    left -= perMille;
    return left < 0;
  });
  if (found === undefined) throw new Error('There is no profile of servers');
  return found;
};

const whole = [{ resourceType: WHOLE, amount: 1n }];

const wholeBy = (capability: string): Spec => ({
  groups: [{ resources: whole, capabilities: [{ require: [capability] }] }],
});

const wholeIn = (group: string): Spec => ({
  groups: [{ resources: whole, providerGroups: { require: [group] } }],
});

export const slice = (cpus: number, memoryGib: number): Spec => ({
  groups: [
    {
      resources: [
        { resourceType: CPU, amount: BigInt(cpus) },
        { resourceType: MEMORY, amount: BigInt(memoryGib * GIB) },
      ],
      capabilities: [{ require: ['vm.qemu'] }],
    },
  ],
});

/** All or nothing, each on another server, as evenly over racks as can be. */
export const spreadOverRacks = (count: number): Spec => ({
  count,
  groups: [{ resources: whole, isolateFrom: ['main'] }],
  spread: { groupKind: GroupKind.RACK },
});

/** Servers of a profile that is rare, near each other: few racks ever have so many free. */
/** Of one rack, or of the whole fleet. */
export const together = (count: number, rack: number | undefined): Spec => ({
  count,
  groups: [
    {
      resources: whole,
      capabilities: [{ require: ['memory.big'] }],
      ...(rack !== undefined && { providerGroups: { require: [rackId(rack)] } }),
      isolateFrom: ['main'],
    },
  ],
});
