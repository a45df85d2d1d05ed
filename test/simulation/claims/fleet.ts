import { create } from '@bufbuild/protobuf';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { CPU, WHOLE } from '../../rpc/scheduler-neighbours.ts';
import type { FleetProvider } from '../../support/claim-checker/evidence.ts';

/** A provider whose amounts change; the checker is told of every change before it is tried. */
export type SimulatedProvider = FleetProvider & {
  readonly amounts: Map<number, ReadonlyMap<string, number>>;
  generation: number;
};

export const newProvider = (at: number, cpus: number): SimulatedProvider => ({
  uid: `00000000-0000-7000-8000-${String(at).padStart(12, '0')}`,
  amounts: new Map([[1, amountsOf(cpus)]]),
  generation: 1,
});

export const amountsOf = (cpus: number): ReadonlyMap<string, number> =>
  new Map([
    [CPU, cpus],
    [WHOLE, 1],
  ]);

/** What inventory tells of it in that generation. */
export const toldOf = (provider: SimulatedProvider, generation: number): Provider =>
  create(ProviderSchema, {
    name: `partitions/lab/providers/${provider.uid}`,
    uid: provider.uid,
    generation: BigInt(generation),
    spec: {
      type: ProviderType.BARE_METAL,
      inventories: [...(provider.amounts.get(generation) ?? [])].map(([resourceType, amount]) => ({
        resourceType,
        total: BigInt(amount),
      })),
    },
  });
