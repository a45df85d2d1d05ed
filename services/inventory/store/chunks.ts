/** SQLite binds at most 32 766 values in a statement, PostgreSQL 65 535. */
const VALUES_MAX = 30_000;

/** Rows in parts that one statement can bind. */
export function* chunksOf<Row>(
  rows: readonly Row[],
  columns: number,
): Generator<readonly Row[], void, void> {
  const size = Math.floor(VALUES_MAX / columns);
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}
