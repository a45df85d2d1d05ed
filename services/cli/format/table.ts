import { stripVTControlCharacters } from 'node:util';

export type Column<Row> = {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** By what rows are sorted. Absent: the text, its numbers as numbers. */
  readonly order?: (row: Row) => number | bigint;
};

/** What came from outside must not steer the terminal of who reads it. */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');

/**
 * A table for people: columns as wide as their longest cell, two spaces between. Where that is
 * wider than there is room, columns that say nothing are left out, then the widest are cut, and the
 * last ones go, which a … in the heading says. The first one, by which a row is named, stays whole.
 */
export const formatTable = <Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  room = Number.POSITIVE_INFINITY,
): string => {
  const table = columns.map(({ title, value }) => [
    title,
    ...rows.map((row) => printable(value(row)) || EMPTY),
  ]);
  const saying = table.filter(
    (cells, at) => at === 0 || cells.slice(1).some((cell) => cell !== EMPTY),
  );
  const isWide = widthOf(table) > room && rows.length > 0;
  const shown = isWide ? withinRoom(saying, room) : table;
  const widths = fitted(shown.map(longest), room - GAP.length * (shown.length - 1));
  const line = (row: number): string =>
    shown
      .map((cells, at) => cut(cells[row] ?? '', widths[at] ?? 0).padEnd(widths[at] ?? 0))
      .join(GAP)
      .trimEnd();
  return Array.from({ length: rows.length + 1 }, (_, row) => line(row)).join('\n');
};

const EMPTY = '-';

const MORE = '…';

/**
 * As many of the columns, from the first on, as can be cut to fit; all where the names alone are
 * too long.
 */
const withinRoom = (table: readonly string[][], room: number): readonly string[][] => {
  const leastOf = (columns: readonly string[][]): number =>
    columns.reduce(
      (sum, cells, at) => sum + (at === 0 ? longest(cells) : Math.min(longest(cells), WIDTH_MIN)),
      GAP.length * (columns.length - 1),
    );
  const mark = [MORE];
  for (let count = table.length; count > 1; count -= 1) {
    const kept = count === table.length ? table : [...table.slice(0, count), mark];
    if (leastOf(kept) <= room) return kept;
  }
  return table;
};

const longest = (cells: readonly string[]): number =>
  cells.reduce((width, cell) => Math.max(width, cell.length), 0);

const widthOf = (table: readonly (readonly string[])[]): number =>
  table.reduce((sum, cells) => sum + longest(cells) + GAP.length, -GAP.length);

const GAP = '  ';
/** Less of a cell says nothing. */
const WIDTH_MIN = 8;

const fitted = (natural: readonly number[], room: number): readonly number[] => {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    const widest = Math.max(...widths.slice(1));
    if (widest <= WIDTH_MIN) break;
    const at = widths.lastIndexOf(widest);
    widths[at === 0 ? widths.indexOf(widest, 1) : at] = widest - 1;
    excess -= 1;
  }
  return widths;
};

const cut = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text;

/** Labelled lines of one object; empty values are left out. */
export const formatFields = (fields: readonly (readonly [string, string])[]): string => {
  const shown = fields.filter(([, value]) => value !== '' && value !== '-');
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}`).join('\n');
};
