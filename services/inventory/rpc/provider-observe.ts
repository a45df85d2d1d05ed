/** What our services saw of a provider. It changes no generation: nobody wanted anything. */
import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Problem, ProblemSchema } from '../../../gen/runmachine/common/v1/problem_pb.ts';
import { BmcType, type Facts } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { RecordProviderFactsResponseSchema } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { actorOf } from '../../runtime/audit-actor.ts';
import { demandService } from '../../runtime/only-services.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { identifiersOf, spokenIdentifier, type Taken } from '../domain/identifiers.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import { absent, type RpcDeps } from './deps.ts';
import {
  goingOn,
  type Observation,
  observationOf,
  observationText,
  observedMs,
} from './observation.ts';
import type { Asking, Handle, In, Show } from './provider-handlers.ts';
import { auditOf, lockProvider } from './provider-locks.ts';
import { providerDoc, specOf, storedProvider } from './provider-message.ts';

type Observations = { readonly recordProviderFacts: Handle<'recordProviderFacts'> };

export const providerObservations = (deps: RpcDeps, show: Show): Observations => ({
  recordProviderFacts: (request, context) => {
    demandService(context, 'What was seen is written');
    return deps.store.transaction(undefined, actorOf(context), async (tx) => {
      const { record, taken } = await observe(deps, tx, { request, context });
      return create(RecordProviderFactsResponseSchema, {
        provider: show(record, context),
        conflicts: taken.map(({ identifier, holder }) => ({
          field: identifier.field,
          value: identifier.value,
          provider: providerName(holder),
          providerUid: holder.uid,
        })),
      });
    });
  },
});

type Seen = { readonly record: ProviderRecord; readonly taken: readonly Taken[] };

const observe = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context }: Asking<'recordProviderFacts'>,
): Promise<Seen> => {
  const { name, facts, observeTime, problem, certificateSha256 } = request;
  const current = await lockProvider(deps, tx, { name, context });
  if (current === undefined) throw absent(name);
  const before = observationOf(current);
  // Reports of an outage are replayed after it; what was seen since is newer.
  if (observeTime === undefined || timestampMs(observeTime) < observedMs(before)) {
    return { record: current, taken: [] };
  }
  const { records, clock } = deps;
  const taken =
    facts === undefined
      ? []
      : await records.providers.claimObserved(tx, current, identifiersOf({ ...facts, facts }));
  const nowMs = clock.now().getTime();
  const conflict = facts === undefined ? before.conflict : conflictOf(current, taken);
  const after = observation(
    { before, facts: facts && without(facts, taken), observeTime },
    {
      reported: goingOn(before.reported, problem, nowMs),
      conflict: goingOn(before.conflict, conflict, nowMs),
    },
  );
  const pinned = pin(current, certificateSha256);
  const record = { ...(pinned ?? current), observed: observationText(after) };
  const isNews = pinned !== undefined || isOther(before, after);
  await records.providers.saveObserved(tx, record, isNews);
  if (pinned !== undefined) {
    const [was, is] = [JSON.parse(current.doc), JSON.parse(record.doc)];
    tx.audit({ action: 'provider.pin', ...auditOf(record), before: was, after: is });
  }
  return { record, taken };
};

type Read = {
  readonly before: Observation;
  readonly facts: Facts | undefined;
  readonly observeTime: NonNullable<In<'recordProviderFacts'>['observeTime']>;
};

type Problems = { readonly reported: Problem | undefined; readonly conflict: Problem | undefined };

const observation = (
  { before, facts = before.facts, observeTime }: Read,
  { reported, conflict }: Problems,
): Observation => ({
  ...(facts && { facts }),
  observeTime,
  ...(reported && { reported }),
  ...(conflict && { conflict }),
});

/** That it was looked at again is told to nobody. */
const isOther = (before: Observation, after: Observation): boolean => {
  const timeless = ({ observeTime: _, ...rest }: Observation) => observationText(rest);
  return timeless(before) !== timeless(after);
};

/** What another provider has is not this one's, whatever it shows. */
const without = (facts: Facts, taken: readonly Taken[]): Facts => {
  if (taken.length === 0) return facts;
  const keys = new Set(taken.map(({ identifier }) => identifier.key));
  const isTaken = (part: Parameters<typeof identifiersOf>[0]): boolean =>
    identifiersOf(part).some(({ key }) => keys.has(key));
  const alone = (shown: { serialNumber?: string; smbiosUuid?: string }) =>
    isTaken({ nics: [], facts: { serialNumber: '', smbiosUuid: '', ...shown } });
  const { serialNumber, smbiosUuid, nics } = facts;
  return {
    ...facts,
    serialNumber: alone({ serialNumber }) ? '' : serialNumber,
    smbiosUuid: alone({ smbiosUuid }) ? '' : smbiosUuid,
    nics: nics.map((nic) => (isTaken({ nics: [nic] }) ? { ...nic, mac: '' } : nic)),
  };
};

const CONFLICTS_NAMED = 5;

const conflictOf = (record: ProviderRecord, taken: readonly Taken[]): Problem | undefined => {
  if (taken.length === 0) return undefined;
  const said = taken
    .slice(0, CONFLICTS_NAMED)
    .map(
      ({ identifier, holder }) =>
        `${spokenIdentifier(identifier)}, which ${providerName(holder)} has`,
    );
  const more = taken.length > CONFLICTS_NAMED ? `, and ${taken.length - CONFLICTS_NAMED} more` : '';
  return create(ProblemSchema, {
    reason: 'CONFLICT',
    message:
      `${providerName(record)} shows ${said.join('; ')}${more}. It is kept out of its facts. ` +
      'See which of the two is recorded wrongly, or whether hardware was moved',
  });
};

/** The first certificate that a controller shows is the one that it must show from then on. */
const pin = (record: ProviderRecord, sha256: string): ProviderRecord | undefined => {
  if (sha256 === '') return undefined;
  const stored = storedProvider(record);
  const spec = specOf(stored);
  const { bmc } = spec;
  if (bmc === undefined || bmc.type === BmcType.NONE || bmc.certificateSha256 !== '') {
    return undefined;
  }
  const pinned = { ...spec, bmc: { ...bmc, certificateSha256: sha256 } };
  return {
    ...record,
    version: record.version + 1,
    doc: providerDoc({ ...stored, spec: pinned }),
  };
};
