import type { Settings } from './profile.ts';
import { UsageError } from './usage-error.ts';

/** People type "web-1"; the API takes "partitions/lab/projects/default/machines/web-1". */
export const inProject = (settings: Settings, collection: string, typed: string): string =>
  typed.includes('/') ? typed : `${projectParent(settings)}/${collection}/${checked(typed)}`;

export const inPartition = (settings: Settings, collection: string, typed: string): string =>
  typed.includes('/') ? typed : `${partitionParent(settings)}/${collection}/${checked(typed)}`;

export const atTop = (collection: string, typed: string): string =>
  typed.includes('/') ? typed : `${collection}/${checked(typed)}`;

export const projectParent = (settings: Settings): string =>
  `${partitionParent(settings)}/projects/${settings.project}`;

export const partitionParent = (settings: Settings): string => `partitions/${settings.partition}`;

/** People type "bmc-rack1"; a secret is of a project and of no partition. */
export const secretName = (settings: Settings, typed: string): string =>
  typed.includes('/') ? typed : `projects/${settings.project}/secrets/${checked(typed)}`;

/** The last segment of a resource name. */
export const lastSegment = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** Checks a name that is to be created, so that a mistake is told before the call. */
export const newId = (typed: string): string => {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(typed)) {
    throw new UsageError(
      `"${typed.slice(0, 80)}" is not a name`,
      '1 to 63 letters, digits, ".", "_" or "-"; first and last a letter or digit',
    );
  }
  return typed;
};

const checked = (typed: string): string => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(typed)) {
    throw new UsageError(`"${typed.slice(0, 80)}" is not a name or uid`);
  }
  return typed;
};
