/** Placement alone, in this process: what one decision takes on a fleet that is mostly claimed. */
import { create, toBinary } from '@bufbuild/protobuf';
import { DistanceTypeSchema } from '../../../gen/runmachine/inventory/v1/distance_pb.ts';
import { ProviderGroupSchema } from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderEventSchema } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import type { CapacityRecord } from '../../../services/scheduler/domain/capacity.ts';
import {
  type ClaimRecord,
  type RequestGroup,
  WHOLE,
} from '../../../services/scheduler/domain/claim.ts';
import { parseKey } from '../../../services/scheduler/domain/keys.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';
import { place } from '../../../services/scheduler/domain/place.ts';
import { decodeCapacity, decodeClaim } from '../../../services/scheduler/domain/record-format.ts';
import type { Topology } from '../../../services/scheduler/domain/topology.ts';
import { createFactsBook } from '../../../services/scheduler/work/facts-book.ts';
import { distanceTypeOf, groupOf } from '../../../services/scheduler/work/topology-message.ts';
import { createFleet, type Fleet, type FleetOptions, PARTITION } from '../fleet/fleet.ts';
import { providerMessage } from '../fleet/provider-message.ts';
import { type Past, recordsOf } from '../fleet/records.ts';
import { DISTANCE, DISTANCE_TYPE, groupMessage, SCHEDULABLE } from '../fleet/topology-message.ts';
import { serveParent } from '../serve-parent.ts';

type Built = { readonly state: PartitionState; readonly rows: readonly string[] };
let built: Built | undefined;

const build = ({ fleet: options, past }: { readonly fleet: FleetOptions; readonly past: Past }) => {
  const fleet = createFleet(options);
  const book = createFactsBook(() => new Set(SCHEDULABLE));
  const rows = rowsOf(fleet);
  let matches = 0;
  for (let at = 0; at < fleet.size; at += 1) {
    const provider = fleet.provider(at);
    const value = create(ProviderSchema, providerMessage(provider));
    const event = create(ProviderEventSchema, { event: { case: 'created', value } });
    book.apply(toBinary(ProviderEventSchema, event));
    if (isWanted(provider, rows)) matches += 1;
  }
  const claims: ClaimRecord[] = [];
  const capacities: CapacityRecord[] = [];
  for (const write of recordsOf(fleet, past)) {
    if (!('put' in write)) continue;
    const kind = parseKey(write.put)?.part.kind;
    if (kind === 'claim') claims.push(decodeClaim(write.value));
    if (kind === 'capacity') capacities.push(decodeCapacity(write.value));
  }
  const startMs = performance.now();
  const facts = book.all(PARTITION);
  const state = createPartitionState({
    partition: PARTITION,
    claims,
    capacities,
    facts,
    nowMs: past.nowMs,
  });
  state.providers.setTopology(topologyOf(fleet));
  built = { state, rows };
  return { buildMs: performance.now() - startMs, matches };
};

const topologyOf = (fleet: Fleet): Topology => {
  const groups = [...fleet.groups()].flatMap((group, at) => {
    const located = groupOf(create(ProviderGroupSchema, groupMessage(group, at)));
    return located === undefined ? [] : [[located.group.id, located.group] as const];
  });
  const type = distanceTypeOf(create(DistanceTypeSchema, DISTANCE_TYPE));
  return {
    groups: new Map(groups),
    distanceTypes: new Map(type === undefined ? [] : [[type.code, type]]),
    turnaroundMs: new Map(),
    schedulable: new Set(SCHEDULABLE),
  };
};

const CAPABILITIES = ['boot.uefi', 'net.speed.25g', 'storage.disk.ssd'];
const SUPPORT = 'bronze';
const NOTHING = { require: [], forbid: [], any: [] };

/** The last tenth of all rows. */
const rowsOf = (fleet: Fleet): readonly string[] => {
  const rows = [...fleet.groups()].filter(({ kind }) => kind === 'row').map(({ id }) => id);
  return rows.slice(-Math.ceil(rows.length / 10));
};

/** What the request below asks for, said in another way: about one in a hundred. */
const isWanted = (
  { capabilities, row, support }: ReturnType<Fleet['provider']>,
  rows: readonly string[],
): boolean =>
  CAPABILITIES.every((code) => capabilities.includes(code)) &&
  rows.includes(row) &&
  support === SUPPORT;

const constrained = (rows: readonly string[]): RequestGroup => ({
  name: 'main',
  resources: [{ resourceType: WHOLE, amount: 1 }],
  capabilities: [{ ...NOTHING, require: CAPABILITIES }],
  providerGroups: { ...NOTHING, any: rows },
  tags: NOTHING,
  properties: {
    requireItems: [{ key: 'support.level', value: { kind: 'string', value: SUPPORT } }],
    forbidItems: [],
    anyItems: [],
    requireKeys: [],
    forbidKeys: [],
    anyKeys: [],
  },
  distances: [
    {
      type: DISTANCE,
      from: { kind: 'provider-group', id: rows.at(-1) ?? '' },
      maximum: 'same-site',
    },
  ],
  providers: [],
  isolateFrom: [],
});

/** How long each decision took, in milliseconds; another seed each time. */
const decide = (args: { readonly samples: number; readonly nowMs: number }): readonly number[] => {
  if (built === undefined) throw new Error('nothing is built yet');
  const { providers } = built.state;
  const spec = { groups: [constrained(built.rows)], count: 1, ranking: 'pack' as const };
  const window = { fromMs: args.nowMs, toMs: args.nowMs + 3_600_000 };
  return Array.from({ length: args.samples }, (_, at) => {
    const startMs = performance.now();
    const plan = place(providers, { spec, window, seed: `seed-${at}` });
    const took = performance.now() - startMs;
    if (plan.kind !== 'placed') throw new Error(`nothing was placed: ${JSON.stringify(plan)}`);
    return took;
  });
};

serveParent({ build, decide });
