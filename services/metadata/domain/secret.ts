/**
 * Something that only those may read who need it. What it holds is here only sealed; names of
 * values are no secret. Staged values lie beside the present ones while somebody tries them.
 */
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import type { RecordHead } from './record.ts';
import type { Sealed } from './sealed.ts';

export type SecretValues = Readonly<Record<string, string>>;

export type SealedValues = {
  readonly keys: readonly string[];
  readonly sealed: Sealed;
};

export type Secret = RecordHead & {
  /** Id and uid of the project that it belongs to. */
  readonly project: string;
  readonly projectUid: string;
  /** Grows whenever the present values change. */
  readonly generation: number;
  readonly description: string;
  readonly present: SealedValues;
  readonly staged?: SealedValues & { readonly sinceMs: number };
};

export const secretName = ({ project, id }: Pick<Secret, 'project' | 'id'>): string =>
  `projects/${project}/secrets/${id}`;

/** What of a secret may be written down, for example in the audit. */
export const shownSecret = (secret: Secret) => ({
  generation: secret.generation,
  description: secret.description,
  keys: secret.present.keys,
  ...(secret.staged && { stagedKeys: secret.staged.keys }),
});

const VALUES_BYTES_MAX = 65_536;

/** Errors: invalid_argument INVALID_FIELD when keys and values are too large together. */
export const demandSmall = (values: SecretValues): void => {
  const bytes = Object.entries(values).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes <= VALUES_BYTES_MAX) return;
  const description = `holds ${bytes} bytes; at most ${VALUES_BYTES_MAX} are allowed`;
  throw invalidArgument('INVALID_FIELD', `data ${description}`, {
    metadata: { field: 'data' },
    violations: [{ field: 'data', description }],
  });
};

export const isSameValues = (a: SecretValues, b: SecretValues): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([key, value]) => Object.hasOwn(b, key) && b[key] === value);

/** Errors: failed_precondition INVALID_STATE. */
export const otherStaged = (secret: Secret) =>
  failedPrecondition(
    'INVALID_STATE',
    `Other values of ${secretName(secret)} are staged already: promote them, or update the ` +
      'secret to drop them',
    {
      metadata: { name: secretName(secret) },
      invalidState: { state: 'STAGED', allowed: ['PRESENT'] },
    },
  );
