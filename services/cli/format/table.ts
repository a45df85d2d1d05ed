import { stripVTControlCharacters } from 'node:util';

export type Column<Row> = { readonly title: string; readonly value: (row: Row) => string };

/** What came from outside must not steer the terminal of who reads it. */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');

/** A table for people: columns as wide as their longest cell, two spaces between. */
export const formatTable = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string => {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row)) || '-'));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) =>
        index === values.length - 1 ? value : value.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...cells.map(line)].join('\n');
};

/** Labelled lines of one object; empty values are left out. */
export const formatFields = (fields: readonly (readonly [string, string])[]): string => {
  const shown = fields.filter(([, value]) => value !== '' && value !== '-');
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}`).join('\n');
};
