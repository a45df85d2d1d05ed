import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import type { RecordHead } from './record.ts';

export type Project = RecordHead & {
  /** Grows whenever the spec changes. */
  readonly generation: number;
  readonly displayName: string;
  /** Id of the project inside which this one is; empty = it is at the top. Never changes. */
  readonly parent: string;
  /** E-mail addresses that are told of its claims. */
  readonly contacts: readonly string[];
  /** Properties in the JSON form of their contract, by key. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
};

export const projectName = ({ id }: { readonly id: string }): string => `projects/${id}`;

/** A quota is looked up on the whole way to the top for every claim. */
export const DEPTH_MAX = 8;
const CHILDREN_NAMED = 20;

/** How many children to ask for: one more than a refusal names. */
export const CHILDREN_ASKED = CHILDREN_NAMED + 1;

/**
 * `above` are the projects above the new one, nearest first; undefined: the named parent is not
 * there. As a parent must be there before its child and never changes, there is no way to a cycle.
 * Errors: invalid_argument INVALID_FIELD naming the parent.
 */
export const demandParent = (parent: string, above: readonly Project[] | undefined): void => {
  if (above === undefined) throw badParent(parent, 'does not exist');
  if (above.length < DEPTH_MAX) return;
  throw badParent(
    parent,
    `lies ${above.length} deep; at most ${DEPTH_MAX} projects lie in another`,
  );
};

const badParent = (parent: string, why: string) => {
  const field = 'project.spec.parent_project';
  const description = `"projects/${parent}" ${why}`;
  return invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field, value: `projects/${parent}` },
    violations: [{ field, description }],
  });
};

/** Errors: invalid_argument INVALID_FIELD when an update would move it. */
export const demandSameParent = (project: Project, wanted: string): void => {
  if (wanted.toLowerCase() === project.parent.toLowerCase()) return;
  const description = '"spec.parent_project" cannot be changed; create another project';
  throw invalidArgument('INVALID_FIELD', `update_mask: ${description}`, {
    metadata: { field: 'update_mask', path: 'spec.parent_project' },
    violations: [{ field: 'update_mask', description }],
  });
};

/** Errors: failed_precondition IN_USE with the projects inside it. */
export const demandNoChildren = (name: string, ids: readonly string[]): void => {
  if (ids.length === 0) return;
  const named = ids.slice(0, CHILDREN_NAMED).map((id) => `projects/${id}`);
  const more = ids.length > CHILDREN_NAMED ? ' and more' : '';
  const inside = `${named.join(', ')}${more}`;
  throw failedPrecondition(
    'IN_USE',
    `Cannot delete ${name}: inside it are ${inside}; delete these first`,
    { metadata: { name, children: named.join(',') } },
  );
};

/** Errors: failed_precondition IN_USE with what the project still owns. */
export const demandOwnsNothing = (name: string, owned: readonly string[]): void => {
  if (owned.length === 0) return;
  throw failedPrecondition(
    'IN_USE',
    `Cannot delete ${name}: it still owns ${owned.join(' and ')}; delete or release these first`,
    { metadata: { name, owned: owned.join(',') } },
  );
};
