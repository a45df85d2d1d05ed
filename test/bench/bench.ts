/** What one bench found, before it is judged by targets.json. */
export type Measured = {
  /** Name of the figure, a key of targets.json. */
  readonly figure: string;
  /** Median of the samples. */
  readonly value: number;
  readonly unit: string;
  /** The same measured beside it with the library's own minimal program; absent: there is none. */
  readonly limit?: number;
  /** How the limit is measured alone; absent without a limit. */
  readonly limitCommand?: string;
  readonly samples: number;
};

export type BenchOptions = {
  /** Fewer and shorter samples: shows that it works, the figures are rough. */
  readonly quick: boolean;
  /** Rows of a bench that has several, by name; empty = all. */
  readonly only: readonly string[];
  /** Sizes of the fleet, for benches that have one. */
  readonly sizes: readonly number[];
  /** Where CPU profiles of the subject go; absent = none are made. */
  readonly cpuProfileDir?: string | undefined;
  /** Progress and findings beside the figures, for people. */
  readonly note: (line: string) => void;
  /** Aborts when the run is over its time or is interrupted. */
  readonly signal: AbortSignal;
};

export type Bench = {
  readonly summary: string;
  /** The longest that a full run may take; the bench fails beyond it. */
  readonly limitMs: number;
  readonly run: (options: BenchOptions) => Promise<readonly Measured[]>;
};

/** Something that the bench needs is not on this machine. The figure then counts as missed. */
export class CannotMeasure extends Error {
  override readonly name = 'CannotMeasure';
}
