import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  DiscoverySchema,
  type FoundServer,
} from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import {
  DiscoveryService,
  type RecordDiscoveriesRequest,
  RecordDiscoveriesResponseSchema,
  type RejectDiscoveryRequest,
  RejectDiscoveryResponseSchema,
} from '../../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { actorOf } from '../../runtime/audit-actor.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { demandService } from '../../runtime/only-services.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { demandOpen } from '../domain/discovery.ts';
import { secretViolations } from '../domain/hardware.ts';
import { type DiscoveryRecord, discoveryName, keyOf, newHead } from '../domain/records.ts';
import {
  absent,
  badField,
  demandPartition,
  mutate,
  pageOf,
  partitionOf,
  placedKey,
  placedPartitions,
  type RpcDeps,
} from './deps.ts';
import { acceptDiscovery } from './discovery-accept.ts';
import { deleteDiscovery } from './discovery-delete.ts';
import { discoveryId } from './discovery-id.ts';
import { discoveryDoc, discoveryMessages, keptOf, stateAsked } from './discovery-message.ts';
import { auditDiscovery, lockDiscovery, parseDiscoveryName, shown } from './discovery-record.ts';

export const discoveryRpc = (deps: RpcDeps): Implementation => {
  const { store, records } = deps;
  return implement(DiscoveryService, {
    getDiscovery: ({ name }, context) =>
      store.read(async (reader) => {
        const { partition, discovery } = parseDiscoveryName(name);
        const record = await records.discoveries.find(reader, partition, discovery);
        if (!record || !accessOf(context).covers({ partition: record.partition })) {
          throw absent(name);
        }
        return { discovery: await shown(deps, reader, record) };
      }),
    listDiscoveries: async (request, context) => {
      const partition = await demandPartition(deps, request.parent);
      const only = partition ? [partition.id] : placedPartitions(accessOf(context));
      const page = pageOf(deps, request, [request.parent, request.state]);
      const state = stateAsked(request.state);
      return store.read(async (reader) => {
        const filter = { only, ...(state !== undefined && { state }) };
        const rows = await records.discoveries.list(reader, filter, page);
        const messages = await discoveryMessages(deps, reader, rows);
        const cut = pageOfMessages(page, rows, {
          schema: DiscoverySchema,
          toMessage: (row) => messages.get(row) ?? create(DiscoverySchema),
          keyOf: placedKey,
        });
        return { discoveries: cut.messages, nextPageToken: cut.nextPageToken };
      });
    },
    recordDiscoveries: (request, context) => {
      demandService(context, 'What a scan found is written');
      return store.transaction(undefined, actorOf(context), (tx) =>
        recordFound(deps, tx, { request, context }),
      );
    },
    acceptDiscovery: (request, context) => acceptDiscovery(deps, request, context),
    rejectDiscovery: (request, context) => rejectDiscovery(deps, request, context),
    deleteDiscovery: (request, context) => deleteDiscovery(deps, request, context),
  });
};

type Recording = { readonly request: RecordDiscoveriesRequest; readonly context: HasValues };

/** What an operator decided stays; what was found at the same address is brought up to date. */
const recordFound = async (deps: RpcDeps, tx: Tx, { request, context }: Recording) => {
  const { records } = deps;
  const asked = partitionOf(request.parent);
  if (asked === undefined) throw badField('parent', 'must name one partition');
  const partition = await records.partitions.lock(tx, asked);
  if (!partition || !accessOf(context).covers({ partition: partition.id })) {
    throw absent(request.parent);
  }
  const byId = foundById(request.found);
  const there = await records.discoveries.lockAll(tx, partition.id, [...byId.keys()]);
  const known = new Map(there.map((record) => [keyOf(record.id), record]));
  const observeMs = request.observeTime ? timestampMs(request.observeTime) : 0;
  const writes = [...byId].flatMap(([id, found]) => {
    const record = known.get(id);
    if (record === undefined) {
      const place = { partition: partition.id, id, observeMs };
      return [{ record: newDiscovery(deps, place, found), isNew: true }];
    }
    return record.updateMs > observeMs
      ? []
      : [{ record: foundAgain(record, found, observeMs), isNew: false }];
  });
  await records.discoveries.writeAll(tx, writes);
  return create(RecordDiscoveriesResponseSchema, {
    names: request.found.map(({ address }) =>
      discoveryName({ partition: partition.id, id: discoveryId(address) }),
    ),
    created: writes.filter(({ isNew }) => isNew).length,
  });
};

/** Of two that were found at one address, by two protocols, the one that could be read counts. */
const foundById = (found: readonly FoundServer[]): ReadonlyMap<string, FoundServer> => {
  const byId = new Map<string, FoundServer>();
  for (const [index, one] of found.entries()) {
    const [wrong] = secretViolations(one.secret);
    if (wrong !== undefined) throw badField(`found[${index}].secret`, wrong.description);
    const id = discoveryId(one.address);
    const before = byId.get(id);
    if (before?.facts === undefined || one.facts !== undefined) byId.set(id, one);
  }
  return byId;
};

type Place = { readonly partition: string; readonly id: string; readonly observeMs: number };

const newDiscovery = (
  { random }: RpcDeps,
  { partition, id, observeMs }: Place,
  found: FoundServer,
): DiscoveryRecord => ({
  ...newHead({ uid: random.uid(), id, nowMs: observeMs }),
  partition,
  state: 'proposed',
  doc: discoveryDoc({ found, reason: '', provider: '' }),
});

/**
 * What could not be read this time keeps what was read before. Where a secret let somebody in, it
 * stays with the way on which it did: scanned again without it, by an agent of whoever may not see
 * it, it must not be read by that agent once the discovery is accepted.
 */
const foundAgain = (
  record: DiscoveryRecord,
  found: FoundServer,
  observeMs: number,
): DiscoveryRecord => {
  const kept = keptOf(record);
  const facts = found.facts ?? kept.found.facts;
  const isKept = found.secret === '' && kept.found.secret !== '';
  const seen = { ...found, ...(isKept && wayOf(kept.found)), ...(facts && { facts }) };
  return {
    ...record,
    version: record.version + 1,
    updateMs: observeMs,
    doc: discoveryDoc({ ...kept, found: seen }),
  };
};

const wayOf = ({ type, address, certificateSha256, secret, agents }: FoundServer) => ({
  type,
  address,
  certificateSha256,
  secret,
  agents,
});

const rejectDiscovery = (deps: RpcDeps, request: RejectDiscoveryRequest, context: HasValues) => {
  const { records } = deps;
  const response = RejectDiscoveryResponseSchema;
  return mutate(deps, context, { response }, async (tx) => {
    const current = await lockDiscovery(deps, tx, { ...request, context });
    const kept = keptOf(current);
    demandOpen(current, kept.provider);
    const record: DiscoveryRecord = {
      ...current,
      version: current.version + 1,
      state: 'rejected',
      doc: discoveryDoc({ ...kept, reason: request.reason }),
    };
    await records.discoveries.writeAll(tx, [{ record, isNew: false }]);
    auditDiscovery(tx, 'discovery.reject', record, { reason: request.reason });
    return create(response, { discovery: await shown(deps, tx, record) });
  });
};
