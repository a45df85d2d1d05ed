import { accessOf, type HasValues } from '../../runtime/context.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type ProviderRecord, providerName } from '../domain/records.ts';
import { absent, badField, parseProviderName, partitionOf, type RpcDeps } from './deps.ts';

/** The newest state, locked; undefined when it is not there or not the caller's to see. */
export const lockProvider = async (
  { records }: RpcDeps,
  tx: Tx,
  { name, context }: { name: string; context: HasValues },
): Promise<ProviderRecord | undefined> => {
  const { partition, provider } = parseProviderName(name, 'provider.name');
  const found = await records.providers.lock(tx, partition, provider);
  return found && accessOf(context).covers({ partition: found.partition }) ? found : undefined;
};

type Several = {
  readonly parent: string;
  readonly idsOrUids: readonly string[];
  readonly context: HasValues;
};

/**
 * The newest states, locked, in the order in which they are named. Errors: not_found naming those
 * that are not there, invalid_argument for one that is named twice.
 */
export const lockProviders = async (
  { records }: RpcDeps,
  tx: Tx,
  { parent, idsOrUids, context }: Several,
): Promise<readonly ProviderRecord[]> => {
  const partition = partitionOf(parent);
  if (partition === undefined) throw badField('parent', 'must name one partition');
  if (!accessOf(context).covers({ partition })) throw absent(parent);
  const locked = await records.providers.lockAll(tx, partition, idsOrUids);
  const byKey = new Map(
    locked.flatMap((record) => [[keyOf(record.id), record] as const, [record.uid, record]]),
  );
  const found = idsOrUids.map((idOrUid) => byKey.get(keyOf(idOrUid)));
  const missing = idsOrUids.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) {
    throw absent(missing.map((id) => providerName({ partition, id })).join(', '));
  }
  const those = found.filter((record) => record !== undefined);
  if (new Set(those).size < those.length) {
    throw badField('providers', 'names one provider twice');
  }
  return those;
};

export const auditOf = (record: ProviderRecord) => ({
  objectKind: 'provider',
  objectUid: record.uid,
  objectName: providerName(record),
  partition: record.partition,
});
