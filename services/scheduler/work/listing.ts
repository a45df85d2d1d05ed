/**
 * Lists the keys of all partitions, page by page: what a page brings is put in at once, so that a
 * million keys are never held beside what is made of them. What was known before and is listed no
 * more goes at the end.
 */
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import type { KeyValue, RangeOptions, RangeResult } from '../../store/coordination/port.ts';
import { type KeyPart, parseKey, ROOT_PREFIX } from '../domain/keys.ts';
import {
  type FollowedPartition,
  isEmpty,
  removeCapacity,
  removeClaim,
  removeQuota,
} from './followed-partition.ts';
import { fartherThan, horizonOf } from './key-horizon.ts';

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
  // Nothing can be gone where nothing is known; a million uids are a lot to note for that.
  const marks = [...partitions.values()].every(isEmpty) ? undefined : createMarks();
  const pace = createPace();
  const read = (asked: Asked): Promise<RangeResult> =>
    pace.read((limit) => coordination.range({ prefix: ROOT_PREFIX, limit, ...asked }, signal));
  let asked: Asked = {};
  let page = await read(asked);
  const { revision } = page;
  for (;;) {
    const following = askedNext(page, { revision, ...asked });
    // The store looks for the next page while this one is put in.
    const next = following && read(following);
    next?.catch(() => undefined);
    for (const at of page.keys) {
      marks?.add(at.key);
      put(at);
    }
    if (following === undefined || next === undefined) break;
    asked = following;
    page = await next;
  }
  if (marks !== undefined) {
    for (const at of partitions.values()) sweep(at, marks.of(at.key), revision);
  }
  return revision;
};

type Asked = Omit<RangeOptions, 'prefix' | 'limit'>;

/** undefined = that was the last page. */
const askedNext = ({ keys, more }: RangeResult, { after, until, ...asked }: Asked) => {
  const from = keys.at(-1)?.key ?? after;
  if (from === undefined || (!more && until === undefined)) return undefined;
  const horizon = more ? horizonOf(keys) : fartherOf(keys, until);
  return { ...asked, after: from, ...(horizon !== undefined && { until: horizon }) };
};

/** Where nothing came before it the rest is asked for. */
const fartherOf = (keys: readonly KeyValue[], until: string | undefined): string | undefined => {
  const last = keys.at(-1)?.key;
  return last === undefined || until === undefined ? undefined : fartherThan(until, last);
};

/** Keys of a page; etcd counts all up to the horizon for each, so a million want large ones. */
const KEYS_MIN = 500;
const KEYS_MAX = 10_000;
/** Of a page, as far as the one before tells. */
const BYTES_AIM = 8_000_000;

/** As many keys at once as their size allows. A page that does not come is asked for smaller. */
const createPace = () => {
  let limit = KEYS_MIN;
  return {
    read: async (readPage: (limit: number) => Promise<RangeResult>): Promise<RangeResult> => {
      const page = await readPage(limit).catch((error: unknown) => {
        if (limit === KEYS_MIN) throw error;
        limit = KEYS_MIN;
        return readPage(limit);
      });
      const bytes = page.keys.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
      if (page.keys.length === 0) return page;
      const most = Math.floor((BYTES_AIM * page.keys.length) / Math.max(1, bytes));
      limit = Math.max(KEYS_MIN, Math.min(KEYS_MAX, most, limit * 4));
      return page;
    },
  };
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
  at.forgotten.clear();
  for (const { uid } of [...at.claims.all()]) if (!marks.claims.has(uid)) removeClaim(at, uid);
  for (const uid of [...at.capacities.keys()]) {
    if (!marks.capacities.has(uid)) removeCapacity(at, uid);
  }
  for (const project of [...at.quotas.keys()]) {
    if (!marks.quotas.has(project)) removeQuota(at, project);
  }
};
