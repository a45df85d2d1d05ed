import { accessOf, type HasValues } from '../../runtime/context.ts';
import { isWildcard, namePattern } from '../../runtime/names.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type GroupRecord, groupName } from '../domain/records.ts';
import { badField, type RpcDeps } from './deps.ts';

const GROUP = namePattern('partitions/{partition}/groups/{group}');

/** Errors: invalid_argument naming the field when the text is no name of a single group. */
export const parseGroupName = (name: string, field: string) => {
  const parsed = GROUP.parse(name);
  if (parsed && !isWildcard(parsed.partition) && !isWildcard(parsed.group)) return parsed;
  throw badField(field, `"${name}" must look like partitions/<id>/groups/<id>`);
};

/** The newest state, locked; undefined when it is not there or not the caller's to see. */
export const lockGroup = async (
  { records }: RpcDeps,
  tx: Tx,
  { name, context }: { name: string; context: HasValues },
): Promise<GroupRecord | undefined> => {
  const { partition, group } = parseGroupName(name, 'group.name');
  const found = await records.groups.lock(tx, partition, group);
  return found && accessOf(context).covers({ partition: found.partition }) ? found : undefined;
};

export const auditOfGroup = (record: GroupRecord) => ({
  objectKind: 'group',
  objectUid: record.uid,
  objectName: groupName(record),
  partition: record.partition,
});
