/** Discoveries as their handlers share them. */
import { create } from '@bufbuild/protobuf';
import { DiscoverySchema } from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { isWildcard, namePattern } from '../../runtime/names.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { type DiscoveryRecord, discoveryName } from '../domain/records.ts';
import { absent, badField, type RpcDeps } from './deps.ts';
import { discoveryMessages } from './discovery-message.ts';

export const shown = async (deps: RpcDeps, reader: Reader | Tx, record: DiscoveryRecord) => {
  const messages = await discoveryMessages(deps, reader, [record]);
  return messages.get(record) ?? create(DiscoverySchema);
};

const NAME = namePattern('partitions/{partition}/discoveries/{discovery}');

export const parseDiscoveryName = (name: string) => {
  const parsed = NAME.parse(name);
  if (parsed && !isWildcard(parsed.partition) && !isWildcard(parsed.discovery)) return parsed;
  throw badField('name', `"${name}" must look like partitions/<id>/discoveries/<id>`);
};

/** The newest state, locked. Errors: not_found; aborted ETAG_MISMATCH. */
export const lockDiscovery = async (
  { store, records }: RpcDeps,
  tx: Tx,
  { name, etag, context }: { name: string; etag: string; context: HasValues },
): Promise<DiscoveryRecord> => {
  const { partition, discovery } = parseDiscoveryName(name);
  const record = await records.discoveries.lock(tx, partition, discovery);
  if (!record || !accessOf(context).covers({ partition: record.partition })) throw absent(name);
  checkEtag(etag, etagOf(record, store.incarnation()));
  return record;
};

export const auditDiscovery = (
  tx: Tx,
  action: string,
  record: DiscoveryRecord,
  after: Readonly<Record<string, string>>,
): void =>
  tx.audit({
    action,
    objectKind: 'discovery',
    objectUid: record.uid,
    objectName: discoveryName(record),
    partition: record.partition,
    before: undefined,
    after,
  });
