/**
 * What coordination holds of a fleet that has been in use for a while: every provider open, most of
 * it claimed. Written with the scheduler's own encoders, since opening a million providers one by
 * one is not what is measured.
 */
import {
  type CapacityRecord,
  markOf,
  type Offer,
} from '../../../services/scheduler/domain/capacity.ts';
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
  /** Whether each provider is booked once more, some time after it becomes free. */
  readonly bookings: boolean;
  /** Now, as the scheduler will see it. */
  readonly nowMs: number;
};

const SALT = { held: 32, release: 33, begin: 34, length: 35 } as const;
export const PROJECTS = 16;
export const projectOf = (at: number): string => `team-${String(at % PROJECTS).padStart(2, '0')}`;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** All of it, in the order of the providers. */
export function* recordsOf(fleet: Fleet, past: Past): Generator<Write> {
  const open = { servers: [] as FleetProvider[], hosts: [] as FleetProvider[] };
  let claims = 0;
  function* held(providers: FleetProvider[], least: number): Generator<Write> {
    if (providers.length < least) return;
    const [first] = providers;
    if (first === undefined) return;
    const window = { acquireMs: past.nowMs - DAY_MS, releaseMs: releaseOf(fleet, first, past) };
    yield claimed(providers.splice(0), window);
  }
  const claimed = (providers: readonly FleetProvider[], window: Window): Write => {
    const claim = claimOf(providers, { past, window, number: claims });
    claims += 1;
    return { put: claimKey(PARTITION, claim.uid), value: encodeClaim(claim) };
  };
  for (let at = 0; at < fleet.size; at += 1) {
    const provider = fleet.provider(at);
    const capacity = capacityOf(provider, past);
    yield { put: capacityKey(PARTITION, provider.uid), value: encodeCapacity(capacity) };
    if (past.bookings) yield claimed([provider], bookingOf(fleet, provider, past));
    if (!isHeld(fleet, provider, past)) continue;
    const those = provider.profile.type === 'vm-host' ? open.hosts : open.servers;
    those.push(provider);
    yield* held(those, past.machinesPerClaim);
  }
  yield* held(open.servers, 1);
  yield* held(open.hosts, 1);
  const head = { number: 1, atMs: past.nowMs, nonce: 'fleet' };
  yield { put: headKey(PARTITION), value: encodeHead(head) };
}

type Window = { readonly acquireMs: number; readonly releaseMs: number };

/** When a claim of the past ends, by its first provider. */
const releaseOf = ({ seed }: Fleet, { at }: FleetProvider, { nowMs }: Past): number =>
  nowMs + Math.round((2 + 60 * share(seed, at, SALT.release)) * DAY_MS);

/** After whatever holds the provider now; only for claims of one machine. */
const bookingOf = (fleet: Fleet, provider: FleetProvider, past: Past): Window => {
  const freeMs = isHeld(fleet, provider, past) ? releaseOf(fleet, provider, past) : past.nowMs;
  const of = (salt: number) => share(fleet.seed, provider.at, salt);
  const acquireMs = freeMs + Math.round(HOUR_MS + of(SALT.begin) * 30 * DAY_MS);
  const releaseMs = acquireMs + Math.round(4 * HOUR_MS + of(SALT.length) * 7 * DAY_MS);
  return { acquireMs, releaseMs };
};

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
  mark: markOf(provider.uid),
});

type Numbered = { readonly past: Past; readonly window: Window; readonly number: number };

const NOTHING = { require: [], forbid: [], any: [] };

const claimOf = (
  providers: readonly FleetProvider[],
  { past, window, number }: Numbered,
): ClaimRecord => {
  const [first] = providers;
  if (first === undefined) throw new Error('A claim needs a provider');
  const isHost = first.profile.type === 'vm-host';
  const createMs = past.nowMs - DAY_MS;
  const uid = claimUid(first, number);
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
      ...window,
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

/** Unlike every provider's: another digit where those have their variant, and the number in it. */
const claimUid = ({ uid }: FleetProvider, number: number): string =>
  `${uid.slice(0, 19)}9${uid.slice(20, 24)}${number.toString(16).padStart(12, '0')}`;
