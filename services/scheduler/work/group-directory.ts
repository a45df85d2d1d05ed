/** The provider groups of all partitions, by inventory's watch. */
import { createClient } from '@connectrpc/connect';
import { ProviderGroupService } from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { keyOf } from '../domain/claim.ts';
import type { GroupFacts } from '../domain/topology.ts';
import { createFollowedWatch } from './followed-watch.ts';
import type { DirectoryDeps } from './provider-directory.ts';
import { groupOf } from './topology-message.ts';

export type GroupDirectory = {
  /** By id in lower case. What was given stays as it is; a change makes another map. */
  readonly all: (partition: string) => ReadonlyMap<string, GroupFacts>;
  /** True once the present set was complete. */
  readonly isComplete: () => boolean;
  /** Follows until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

/** Keys of partitions whose groups have changed; also called once everything was told. */
export type OnGroups = (partitions: ReadonlySet<string>) => void;

type Place = { readonly partition: string; readonly id: string };

/** A group with its uid: the id may belong to another by the time that it is deleted. */
type Named = { readonly uid: string; readonly group: GroupFacts };

const NONE: ReadonlyMap<string, Named> = new Map();

export const createGroupDirectory = (deps: DirectoryDeps, onChange: OnGroups): GroupDirectory => {
  const client = createClient(ProviderGroupService, deps.transport);
  const byPartition = new Map<string, Map<string, Named>>();
  const byUid = new Map<string, Place>();
  let shown = new Map<string, ReadonlyMap<string, GroupFacts>>();
  let isComplete = false;
  let present: Set<string> | undefined;

  const put = (uid: string, partition: string, group: GroupFacts): void => {
    if (byUid.get(uid)?.id !== group.id) remove(uid);
    const groups = byPartition.get(partition) ?? new Map<string, Named>();
    byPartition.set(partition, groups);
    groups.set(group.id, { uid, group });
    byUid.set(uid, { partition, id: group.id });
    present?.add(uid);
  };
  const remove = (uid: string): string | undefined => {
    const place = byUid.get(uid);
    if (place === undefined) return undefined;
    byUid.delete(uid);
    const groups = byPartition.get(place.partition);
    if (groups?.get(place.id)?.uid === uid) groups.delete(place.id);
    return place.partition;
  };
  const told = (changed: ReadonlySet<string>): void => {
    shown = new Map([...shown].filter(([partition]) => !changed.has(partition)));
    onChange(changed);
  };
  const complete = (changed: Set<string>): void => {
    for (const uid of [...byUid.keys()]) {
      if (present === undefined || present.has(uid)) continue;
      const partition = remove(uid);
      if (partition !== undefined) changed.add(partition);
    }
    present = undefined;
    isComplete = true;
    for (const partition of byPartition.keys()) changed.add(partition);
  };

  const watch = createFollowedWatch(deps, {
    what: 'provider groups',
    open: (resumeToken, signal) =>
      client.watchProviderGroups({ parent: 'partitions/-', resumeToken }, { signal }),
    begin: () => {
      present = new Set();
    },
    unknown: () => {
      isComplete = true;
      told(new Set());
    },
    take: (events) => {
      const changed = new Set<string>();
      let isNews = false;
      for (const { event } of events) {
        if (event.case === 'created' || event.case === 'updated') {
          const located = groupOf(event.value);
          if (located === undefined) continue;
          put(keyOf(event.value.uid), located.partition, located.group);
          changed.add(located.partition);
        } else if (event.case === 'deleted') {
          const partition = remove(keyOf(event.value.uid));
          if (partition !== undefined) changed.add(partition);
        } else if (event.case === 'synced') {
          complete(changed);
          isNews = true;
        }
      }
      if (isNews || changed.size > 0) told(changed);
    },
  });

  return {
    all: (partition) => {
      const key = keyOf(partition);
      const known = shown.get(key);
      if (known !== undefined) return known;
      const groups = new Map<string, GroupFacts>();
      for (const [id, { group }] of byPartition.get(key) ?? NONE) groups.set(id, group);
      shown.set(key, groups);
      return groups;
    },
    isComplete: () => isComplete,
    run: watch.run,
  };
};
