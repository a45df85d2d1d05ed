/**
 * What coordination holds of a fleet that has been in use for a while: every provider open, most of
 * it claimed. Written with the scheduler's own encoders, since opening a million providers one by
 * one is not what is measured.
 */
import type { CapacityRecord, Offer } from '../../../services/scheduler/domain/capacity.ts';
import { type ClaimRecord, WHOLE } from '../../../services/scheduler/domain/claim.ts';
import { capacityKey, claimKey, headKey } from '../../../services/scheduler/domain/keys.ts';
import {
  encodeCapacity,
  encodeClaim,
  encodeHead,
} from '../../../services/scheduler/domain/record-format.ts';
import type { Write } from '../../../services/store/coordination/port.ts';
import { type Fleet, type FleetProvider, PARTITION } from './fleet.ts';
import { share } from './mix.ts';
import { CPU, MEMORY } from './profile.ts';

export type Past = {
  /** Share of the servers that are claimed whole, and of each VM host that is claimed. */
  readonly fill: number;
  /** Machines of one claim. */
  readonly machinesPerClaim: number;
  /** Now, as the scheduler will see it. */
  readonly nowMs: number;
};

const SALT = { held: 32, claimUid: 33, release: 34 } as const;
export const PROJECTS = 16;
export const projectOf = (at: number): string => `team-${String(at % PROJECTS).padStart(2, '0')}`;
const DAY_MS = 24 * 3_600_000;

/** All of it, in the order of the providers. */
export function* recordsOf(fleet: Fleet, past: Past): Generator<Write> {
  const open = { servers: [] as FleetProvider[], hosts: [] as FleetProvider[] };
  let claims = 0;
  function* claimed(providers: FleetProvider[], least: number): Generator<Write> {
    if (providers.length < least || providers.length === 0) return;
    const claim = claimOf(providers.splice(0), { fleet, past, number: claims });
    claims += 1;
    yield { put: claimKey(PARTITION, claim.uid), value: encodeClaim(claim) };
  }
  for (let at = 0; at < fleet.size; at += 1) {
    const provider = fleet.provider(at);
    const capacity = capacityOf(provider, past);
    yield { put: capacityKey(PARTITION, provider.uid), value: encodeCapacity(capacity) };
    if (!isHeld(fleet, provider, past)) continue;
    const those = provider.profile.type === 'vm-host' ? open.hosts : open.servers;
    those.push(provider);
    yield* claimed(those, past.machinesPerClaim);
  }
  yield* claimed(open.servers, 1);
  yield* claimed(open.hosts, 1);
  const head = { number: 1, atMs: past.nowMs, nonce: 'fleet' };
  yield { put: headKey(PARTITION), value: encodeHead(head) };
}

/** Hosts are all in use, each in part. */
export const isHeld = (fleet: Fleet, { at, profile }: FleetProvider, { fill }: Past): boolean =>
  fill > 0 && (profile.type === 'vm-host' || share(fleet.seed, at, SALT.held) < fill);

export const offersOf = (provider: FleetProvider): ReadonlyMap<string, Offer> => {
  const { profile, cpus, memoryBytes } = provider;
  const offers: [string, Offer][] = [
    [CPU, offer(Math.floor((cpus * profile.cpuRatioMilli) / 1000), cpus)],
    [MEMORY, offer(memoryBytes, memoryBytes)],
  ];
  return new Map(profile.type === 'vm-host' ? offers : [[WHOLE, offer(1, 1)], ...offers]);
};

const offer = (usable: number, maxUnit: number): Offer => ({
  usable,
  minUnit: 1,
  maxUnit,
  stepSize: 1,
});

const capacityOf = (provider: FleetProvider, { nowMs }: Past): CapacityRecord => ({
  providerUid: provider.uid,
  generation: 1,
  offers: offersOf(provider),
  closed: false,
  version: 1,
  updateMs: nowMs,
});

type Numbered = { readonly fleet: Fleet; readonly past: Past; readonly number: number };

const NOTHING = { require: [], forbid: [], any: [] };

const claimOf = (
  providers: readonly FleetProvider[],
  { fleet, past, number }: Numbered,
): ClaimRecord => {
  const [first] = providers;
  if (first === undefined) throw new Error('A claim needs a provider');
  const isHost = first.profile.type === 'vm-host';
  const createMs = past.nowMs - DAY_MS;
  const uid = claimUid(first);
  return {
    uid,
    partition: PARTITION,
    project: projectOf(number),
    claimId: `past-${number}`,
    owner: 'services/machine',
    ancestors: [],
    version: 1,
    generation: 1,
    createMs,
    updateMs: createMs,
    properties: {},
    tags: [],
    spec: {
      consumer: undefined,
      acquireMs: createMs,
      releaseMs:
        past.nowMs + Math.round((2 + 90 * share(fleet.seed, number, SALT.release)) * DAY_MS),
      groups: [
        {
          name: 'main',
          resources: isHost ? shareOfHost(providers, past) : [{ resourceType: WHOLE, amount: 1 }],
          capabilities: [{ ...NOTHING, require: ['boot.uefi'] }],
          providerGroups: NOTHING,
          tags: NOTHING,
          providers: [],
          isolateFrom: ['main'],
        },
      ],
      count: providers.length,
      ranking: 'pack',
    },
    providers: providers.map(({ uid: providerUid, name }) => ({
      uid: providerUid,
      name,
      finishMs: undefined,
    })),
    placements: providers.map((_, index) => ({ group: 0, index, provider: index })),
    releaseBeginMs: undefined,
    logNumber: 1,
    requests: [],
  };
};

/** Of the smallest of them, since all machines of a claim are alike. */
const shareOfHost = (providers: readonly FleetProvider[], { fill }: Past) => {
  const least = (of: (provider: FleetProvider) => number) =>
    Math.max(1, Math.floor(Math.min(...providers.map(of)) * fill));
  return [
    {
      resourceType: CPU,
      amount: least(({ cpus, profile }) => (cpus * profile.cpuRatioMilli) / 1000),
    },
    { resourceType: MEMORY, amount: least(({ memoryBytes }) => memoryBytes) },
  ];
};

/** Unlike every provider's: another digit where those have their variant. */
const claimUid = ({ uid }: FleetProvider): string => `${uid.slice(0, 19)}9${uid.slice(20)}`;
