/** Lists narrowed and sorted by what their tables show. */
import type { Args, Option } from './command.ts';
import type { Column } from './format/table.ts';
import { UsageError } from './usage-error.ts';

export const NARROW_OPTIONS: Readonly<Record<string, Option>> = {
  filter: {
    type: 'string',
    multiple: true,
    value: 'COLUMN=TEXT',
    help: 'only rows whose column says that; != those that do not, * is any text; all must hold',
  },
  sort: { type: 'string', value: 'COLUMN', help: 'in the order of this column' },
  reverse: { type: 'boolean', help: 'the last first' },
};

/** Columns that --filter and --sort name. */
export const namedColumns = (args: Args): ReadonlySet<string> =>
  new Set(
    [...args.strings('filter').map((text) => termOf(text).column), args.string('sort') ?? ''].map(
      keyOf,
    ),
  );

/** A column as one types it: HELD BY is held-by. */
const keyOf = (title: string): string => title.toLowerCase().replaceAll(' ', '-');

export const narrowed = <Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  args: Args,
): readonly Row[] => {
  const tests = args.strings('filter').map((text) => testOf(termOf(text), columns));
  const kept = rows.filter((row) => tests.every((test) => test(row)));
  const by = args.string('sort');
  const sorted = by === undefined ? kept : kept.toSorted(orderBy(columnOf(columns, by, '--sort')));
  return args.flag('reverse') ? sorted.toReversed() : sorted;
};

type Term = { readonly column: string; readonly isWanted: boolean; readonly text: string };

const termOf = (given: string): Term => {
  const match = /^([^=!]+)(!?=)(.*)$/s.exec(given);
  if (match === null) {
    throw new UsageError(
      `--filter: "${given}" is not COLUMN=TEXT`,
      'for example --filter state=available or --filter "name=r1*"',
    );
  }
  const [, column = '', sign, text = ''] = match;
  return { column: column.trim(), isWanted: sign === '=', text: text.trim() };
};

const testOf = <Row>(
  { column, isWanted, text }: Term,
  columns: readonly Column<Row>[],
): ((row: Row) => boolean) => {
  const { value } = columnOf(columns, column, '--filter');
  const parts = text.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.*')}$`, 'is');
  // A table shows an empty cell as a hyphen.
  return (row) => (pattern.test(value(row)) || (text === '-' && value(row) === '')) === isWanted;
};

const columnOf = <Row>(
  columns: readonly Column<Row>[],
  typed: string,
  option: string,
): Column<Row> => {
  const found = columns.find(({ title }) => keyOf(title) === keyOf(typed));
  if (found !== undefined) return found;
  const known = columns.map(({ title }) => keyOf(title)).join(', ');
  throw new UsageError(`${option}: there is no column "${typed}"`, `one of ${known}`);
};

const BY_NUMBERS = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

const orderBy =
  <Row>({ value, order }: Column<Row>) =>
  (a: Row, b: Row): number => {
    if (order === undefined) return BY_NUMBERS.compare(value(a), value(b));
    const [left, right] = [order(a), order(b)];
    if (left === right) return 0;
    return left < right ? -1 : 1;
  };
