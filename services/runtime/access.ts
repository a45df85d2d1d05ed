import { type Grant, holds, type Identity } from './identity.ts';

/**
 * Where something is. Absent parts are not known or not there; ids compare without regard to case.
 */
export type Place = {
  readonly partition?: string | undefined;
  readonly project?: string | undefined;
};

/**
 * Where an identity holds one permission. Handlers constrain their SQL with it: everything, or a
 * row whose project is in `projects`, or whose partition is in `partitions`, or whose (partition,
 * project) is in `pairs`.
 */
export type Access = {
  readonly permission: string;
  /** Held on the whole system; the sets below say nothing more. */
  readonly everything: boolean;
  /** Projects on which it is held, in all partitions. */
  readonly projects: ReadonlySet<string>;
  /** Partitions on which it is held, for all projects. */
  readonly partitions: ReadonlySet<string>;
  /** Held only for this project within this partition. */
  readonly pairs: readonly { readonly partition: string; readonly project: string }[];
  /** True when it is held nowhere. */
  readonly nowhere: boolean;
  /**
   * Whether an object at that place is covered. A place without partition and project needs the
   * whole system.
   */
  readonly covers: (place: Place) => boolean;
};

const fold = (id: string): string => id.toLowerCase();
const same = (held: string, asked: string | undefined): boolean =>
  asked !== undefined && fold(held) === fold(asked);

const grantCovers = (grant: Grant, place: Place): boolean =>
  (grant.partition === undefined || same(grant.partition, place.partition)) &&
  (grant.project === undefined || same(grant.project, place.project));

const compute = (identity: Identity, permission: string): Access => {
  const held = identity.grants.filter((grant) => holds(grant.permissions, permission));
  const projects = new Set<string>();
  const partitions = new Set<string>();
  const pairs: { partition: string; project: string }[] = [];
  let everything = false;
  for (const { partition, project } of held) {
    if (partition === undefined && project === undefined) everything = true;
    else if (partition === undefined && project !== undefined) projects.add(project);
    else if (partition !== undefined && project === undefined) partitions.add(partition);
    else if (partition !== undefined && project !== undefined) pairs.push({ partition, project });
  }
  return {
    permission,
    everything,
    projects,
    partitions,
    pairs,
    nowhere: held.length === 0,
    covers: (place) => everything || held.some((grant) => grantCovers(grant, place)),
  };
};

// An identity is cached by its authenticator for seconds and asks for the same few permissions
// again and again.
const known = new WeakMap<Identity, Map<string, Access>>();

/** Where the identity holds the permission. Pure; remembered per identity object. */
export const accessFor = (identity: Identity, permission: string): Access => {
  let byPermission = known.get(identity);
  if (byPermission === undefined) {
    byPermission = new Map();
    known.set(identity, byPermission);
  }
  let access = byPermission.get(permission);
  if (access === undefined) {
    access = compute(identity, permission);
    byPermission.set(permission, access);
  }
  return access;
};

/**
 * Whether the identity may know that the place exists: any grant on it, with whatever permission. A
 * grant on one project within a partition shows that partition and that project, not the
 * partition's other projects.
 */
export const sees = (identity: Identity, place: Place): boolean =>
  identity.grants.some((grant) => {
    const project =
      grant.project === undefined ||
      (place.project === undefined
        ? grant.partition !== undefined
        : same(grant.project, place.project));
    const partition =
      grant.partition === undefined ||
      (place.partition === undefined
        ? grant.project !== undefined
        : same(grant.partition, place.partition));
    return project && partition;
  });
