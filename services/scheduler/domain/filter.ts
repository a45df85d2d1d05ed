/**
 * What a filter is. Each stands in its own file below filters/ and says which constraints it found
 * unmet.
 */
import type { RequestGroup } from './claim.ts';
import type { Interval } from './hold.ts';
import type { Member, Shape } from './provider-index.ts';
import type { Vacancy } from './vacancy.ts';

/** A group of a request, ready to be compared with providers. */
export type Asked = {
  readonly group: RequestGroup;
  readonly window: Interval;
};

/**
 * Names of the constraints that are unmet, as the refusal shows them, for example "capability
 * cpu.x86.avx2" or "runm.memory". Empty = keep.
 */
export type Unmet = readonly string[];

export type ShapeFilter = {
  readonly name: string;
  readonly unmet: (shape: Shape, asked: Asked) => Unmet;
};

export type MemberFilter = {
  readonly name: string;
  /** `vacancy` is what is free of the member over the window; it is found when first asked for. */
  readonly unmet: (member: Member, asked: Asked, vacancy: () => Vacancy) => Unmet;
};
