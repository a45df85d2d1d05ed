import { failedPrecondition } from '../../runtime/errors.ts';
import type { RecordHead } from './record.ts';

export type Project = RecordHead & {
  readonly displayName: string;
  /** Properties in the JSON form of their contract, by key. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
};

export const projectName = ({ id }: { readonly id: string }): string => `projects/${id}`;

/** Errors: failed_precondition IN_USE with what the project still owns. */
export const demandOwnsNothing = (name: string, owned: readonly string[]): void => {
  if (owned.length === 0) return;
  throw failedPrecondition(
    'IN_USE',
    `Cannot delete ${name}: it still owns ${owned.join(' and ')}; delete or release these first`,
    { metadata: { name, owned: owned.join(',') } },
  );
};
