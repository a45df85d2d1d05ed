/**
 * Lists the keys of all partitions, page by page: what a page brings is put in at once, so that a
 * million keys are never held beside what is made of them. What was known before and is listed no
 * more goes at the end.
 */
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import type { KeyValue } from '../../store/coordination/port.ts';
import { type KeyPart, parseKey, ROOT_PREFIX } from '../domain/keys.ts';
import {
  type FollowedPartition,
  removeCapacity,
  removeClaim,
  removeQuota,
} from './followed-partition.ts';

export type Listing = {
  readonly partitions: ReadonlyMap<string, FollowedPartition>;
  readonly put: (at: KeyValue) => void;
};

/** The revision at which everything was listed. */
export const listAll = async (
  { coordination }: CoordinationDeps,
  { partitions, put }: Listing,
  signal: AbortSignal,
): Promise<bigint> => {
  const marks = partitions.size === 0 ? undefined : createMarks();
  let revision: bigint | undefined;
  for (let after: string | undefined; ; ) {
    const page = await coordination.range(
      {
        prefix: ROOT_PREFIX,
        ...(after !== undefined && { after }),
        ...(revision !== undefined && { revision }),
      },
      signal,
    );
    revision ??= page.revision;
    for (const at of page.keys) {
      marks?.add(at.key);
      put(at);
    }
    after = page.keys.at(-1)?.key;
    if (!page.more) break;
  }
  if (marks !== undefined) {
    for (const at of partitions.values()) sweep(at, marks.of(at.key), revision);
  }
  return revision;
};

/** What was listed of one partition. */
type Marks = {
  hasHead: boolean;
  hasLeader: boolean;
  readonly claims: Set<string>;
  readonly capacities: Set<string>;
  readonly quotas: Set<string>;
  readonly log: Set<number>;
};

const createMarks = () => {
  const byPartition = new Map<string, Marks>();
  const of = (partition: string): Marks => {
    const marks = byPartition.get(partition) ?? {
      hasHead: false,
      hasLeader: false,
      claims: new Set(),
      capacities: new Set(),
      quotas: new Set(),
      log: new Set(),
    };
    byPartition.set(partition, marks);
    return marks;
  };
  return {
    of,
    add: (key: string): void => {
      const parsed = parseKey(key);
      if (parsed !== undefined) mark(of(parsed.partition), parsed.part);
    },
  };
};

const mark = (marks: Marks, part: KeyPart): void => {
  switch (part.kind) {
    case 'head':
      marks.hasHead = true;
      return;
    case 'leader':
      marks.hasLeader = true;
      return;
    case 'claim':
      marks.claims.add(part.uid);
      return;
    case 'capacity':
      marks.capacities.add(part.uid);
      return;
    case 'quota':
      marks.quotas.add(part.project);
      return;
    case 'log':
      marks.log.add(part.number);
  }
};

/** Takes out what is listed no more. An own commit that is newer than the list knows better. */
const sweep = (at: FollowedPartition, marks: Marks, revision: bigint): void => {
  if (!marks.hasLeader) at.leader = undefined;
  for (const number of [...at.log]) if (!marks.log.has(number)) at.log.delete(number);
  if (at.ownRevision > revision) return;
  if (!marks.hasHead) at.head = undefined;
  for (const { uid } of [...at.claims.all()]) if (!marks.claims.has(uid)) removeClaim(at, uid);
  for (const uid of [...at.capacities.keys()]) {
    if (!marks.capacities.has(uid)) removeCapacity(at, uid);
  }
  for (const project of [...at.quotas.keys()]) {
    if (!marks.quotas.has(project)) removeQuota(at, project);
  }
};
