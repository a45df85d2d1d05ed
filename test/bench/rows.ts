import { type Bench, type BenchOptions, CannotMeasure, type Measured } from './bench.ts';

/** By the name that --only takes; the README has a table of them. */
export type Rows = Readonly<
  Record<string, (options: BenchOptions) => Promise<readonly Measured[]>>
>;

/** A bench of several rows, one after the other. */
export const benchOf = (rows: Rows, of: Pick<Bench, 'summary' | 'limitMs'>): Bench => ({
  ...of,
  run: async (options) => {
    const unknown = options.only.find((name) => rows[name] === undefined);
    if (unknown !== undefined) {
      throw new CannotMeasure(
        `there is no row "${unknown}"; known: ${Object.keys(rows).join(', ')}`,
      );
    }
    const measured: Measured[] = [];
    for (const [name, row] of Object.entries(rows)) {
      if (options.only.length > 0 && !options.only.includes(name)) continue;
      options.signal.throwIfAborted();
      measured.push(...(await row(options)));
    }
    return measured;
  },
});
