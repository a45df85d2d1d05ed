/**
 * What a request demands of a provider, constraint by constraint, as the filters below filters/
 * compile it: either a question to shapes or a set of numbers. Placement intersects them; a refusal
 * counts what each removed.
 */
import type { RequestGroup, ResourceRequest } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';

export type Constraint =
  | {
      readonly kind: 'shape';
      /** As a refusal shows it, for example "capability cpu.x86.avx2" or "runm.memory offered". */
      readonly name: string;
      readonly keeps: (shape: Shape) => boolean;
      /** Resource type that it is about; absent = none. */
      readonly resourceType?: string;
    }
  | {
      readonly kind: 'any-of' | 'none-of';
      readonly name: string;
      readonly sets: readonly NumberSet[];
      /** No caller asks for it, so none can leave it out. */
      readonly isGiven?: true;
    };

/** One provider's part of a request: a whole group, or one resource of a group over several. */
export type Asked = {
  readonly group: RequestGroup;
  readonly resources: readonly ResourceRequest[];
  /** The group's other resources may come from other providers. */
  readonly isPart: boolean;
  /** Constraints of the request that concern every group. */
  readonly spreadKind?: string;
  /** Name of a constraint that does not count; absent = all do. */
  readonly leftOut?: string;
};

export type Filter = {
  readonly name: string;
  readonly constraints: (asked: Asked, index: ProviderIndex) => readonly Constraint[];
};

export const anyOf = (name: string, sets: readonly NumberSet[]): Constraint => ({
  kind: 'any-of',
  name,
  sets,
});

export const noneOf = (name: string, sets: readonly NumberSet[]): Constraint => ({
  kind: 'none-of',
  name,
  sets,
});
