/** What keeps an object from deletion, listed for people and for programs. */
import { type DomainError, failedPrecondition } from '../../runtime/errors.ts';

export type Blockers = {
  /** What they are, for example "providers have it". */
  readonly what: string;
  /** Key of the metadata under which their number is. */
  readonly key: string;
  readonly names: readonly string[];
  /** Absent: as many as there are names, or more when those were cut. */
  readonly count?: number;
};

/** Undefined when nothing blocks. */
export const blockedBy = (
  name: string,
  all: readonly Blockers[],
  verb = 'delete',
): DomainError | undefined => {
  const blockers = all.filter(({ names, count }) => names.length > 0 || (count ?? 0) > 0);
  if (blockers.length === 0) return undefined;
  const said = blockers.map(saying).join('; ');
  const metadata: Record<string, string> = { name };
  for (const { key, names, count } of blockers) {
    metadata[key] = String(count ?? names.length);
    metadata[`${key}_names`] = names.join(', ');
  }
  return failedPrecondition('IN_USE', `Cannot ${verb} ${name}: ${said}`, { metadata });
};

const saying = ({ what, names, count }: Blockers): string => {
  const more = count !== undefined && count > names.length ? ', …' : '';
  return `${count ?? names.length} ${what} (${names.join(', ')}${more})`;
};
