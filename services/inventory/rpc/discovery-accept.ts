/** Makes a provider of what a scan found. */
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { FoundServer } from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import {
  type AcceptDiscoveryRequest,
  AcceptDiscoveryResponseSchema,
} from '../../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { type HasValues, identityOf } from '../../runtime/context.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { demandOpen } from '../domain/discovery.ts';
import { identifiersOf, identifierTaken } from '../domain/identifiers.ts';
import { type DiscoveryRecord, type ProviderRecord, providerName } from '../domain/records.ts';
import { absent, demandId, mutate, parseProviderName, type RpcDeps } from './deps.ts';
import { discoveryDoc, keptOf } from './discovery-message.ts';
import { auditDiscovery, lockDiscovery, shown } from './discovery-record.ts';
import { observationText } from './observation.ts';
import { makeProvider } from './provider-change.ts';
import { providerMessage } from './provider-message.ts';

export const acceptDiscovery = (
  deps: RpcDeps,
  request: AcceptDiscoveryRequest,
  context: HasValues,
) => {
  const { store, records } = deps;
  const { providerId, validateOnly } = request;
  const response = AcceptDiscoveryResponseSchema;
  demandId('provider_id', providerId);
  return mutate(deps, context, { response, validateOnly }, async (tx) => {
    const current = await lockDiscovery(deps, tx, { ...request, context });
    const kept = keptOf(current);
    await demandNotMade(deps, tx, current);
    const partition = await records.partitions.keep(tx, current.partition);
    if (partition === undefined) throw absent(request.name);
    const given = proposed(kept.found, request);
    const making = { partition: partition.id, id: providerId, given, caller: identityOf(context) };
    const made = await makeProvider(deps, tx, making);
    const provider = await recordSeen(deps, tx, { made, found: kept.found, current });
    const name = providerName(provider);
    const record: DiscoveryRecord = {
      ...current,
      version: current.version + 1,
      state: 'accepted',
      doc: discoveryDoc({ ...kept, reason: '', provider: name }),
    };
    await records.discoveries.writeAll(tx, [{ record, isNew: false }]);
    auditDiscovery(tx, 'discovery.accept', record, { provider: name });
    return create(response, {
      discovery: await shown(deps, tx, record),
      provider: providerMessage(provider, { incarnation: store.incarnation(), seesAll: true }),
    });
  });
};

/** A provider that was made of it and is gone since may be made again. */
const demandNotMade = async (
  { records }: RpcDeps,
  tx: Tx,
  record: DiscoveryRecord,
): Promise<void> => {
  const name = keptOf(record).provider;
  if (record.state !== 'accepted' || name === '') return;
  const { partition, provider } = parseProviderName(name, 'name');
  if ((await records.providers.find(tx, partition, provider)) !== undefined) {
    demandOpen(record, name);
  }
};

const WHOLE = 'runm.machine.whole';

const BMC_CAPABILITIES: ReadonlyMap<BmcType, string> = new Map([
  [BmcType.REDFISH, 'bmc.redfish'],
  [BmcType.IPMI, 'bmc.ipmi'],
]);

/** What is declared of it: how it is reached and its NICs; the rest was seen. */
const proposed = (
  found: FoundServer,
  { type, secret, groups }: AcceptDiscoveryRequest,
): Provider => {
  const asked = type === ProviderType.UNSPECIFIED ? ProviderType.BARE_METAL : type;
  const capability = BMC_CAPABILITIES.get(found.type);
  const labels = new Set<string>();
  const nics = (found.facts?.nics ?? []).filter(({ label }) => {
    const isFirst = !labels.has(label);
    labels.add(label);
    return isFirst;
  });
  return create(ProviderSchema, {
    spec: {
      type: asked,
      groups,
      capabilities: capability === undefined ? [] : [capability],
      inventories: asked === ProviderType.BARE_METAL ? [{ resourceType: WHOLE, total: 1n }] : [],
      nics: nics.map((nic) => ({ ...nic, primary: false })),
      bmc: {
        type: found.type,
        address: found.address,
        secret: secret === '' ? found.secret : secret,
        certificateSha256: found.certificateSha256,
      },
      agentPools: found.agents.length === 0 ? [] : [{ role: 'bmc', agents: found.agents }],
    },
  });
};

type Seeing = {
  readonly made: ProviderRecord;
  readonly found: FoundServer;
  readonly current: DiscoveryRecord;
};

/** Errors: already_exists naming the provider that has its serial number or UUID. */
const recordSeen = async (
  { records: { providers } }: RpcDeps,
  tx: Tx,
  { made, found: { facts }, current }: Seeing,
): Promise<ProviderRecord> => {
  if (facts === undefined) return made;
  const shownBy = identifiersOf({ nics: facts.nics, facts });
  const [taken] = await providers.claimObserved(tx, made, shownBy);
  if (taken !== undefined) throw identifierTaken(made, taken);
  const observeTime = timestampFromMs(current.updateMs);
  const record = { ...made, observed: observationText({ facts, observeTime }) };
  await providers.saveObserved(tx, record, true);
  return record;
};
