import type { Judged } from './targets.ts';

/** The figures of one bench for people. */
export const tableOf = (rows: readonly Judged[]): string => {
  const titles = ['FIGURE', 'VALUE', 'LIMIT', 'TARGET', '', 'SAMPLES'];
  const cells = rows.map((row) => [
    row.figure,
    withUnit(row.value, row.unit),
    row.limit === null ? '-' : withUnit(row.limit, row.unit),
    `${row.target.op} ${row.target.value}`,
    row.ok ? 'met' : 'MISSED',
    String(row.samples),
  ]);
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...cells.map((line) => line[column]?.length ?? 0)),
  );
  return [titles, ...cells]
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
};

const withUnit = (value: number, unit: string): string =>
  unit === '' ? String(value) : `${value} ${unit}`;
