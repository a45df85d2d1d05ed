/** Entries of a comma-separated file, row by row: a million need no more memory than one. */
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { UsageError } from '../usage-error.ts';
import { type Sheet, sheetOf } from './columns.ts';
import type { Contents, Entry, Source } from './entry.ts';
import { ENTRY_BYTES_MAX } from './lines.ts';

export const csvContents = (source: Source): Contents => {
  let sheet: Sheet | undefined;
  return {
    paths: () => sheet?.paths,
    entries: csvEntries(source, (found) => {
      sheet = found;
    }),
  };
};

type Row = {
  readonly record: readonly string[];
  readonly info: { readonly lines: number; readonly bytes: number };
};

const SAMPLE_BYTES = 65_536;

async function* csvEntries(
  source: Source,
  tell: (sheet: Sheet) => void,
): AsyncGenerator<Entry, void, void> {
  const { first, all } = await peek(source.bytes);
  const parser = parse({
    bom: true,
    info: true,
    // Told by us, with the line.
    relax_column_count: true,
    skip_empty_lines: true,
    delimiter: delimiterOf(first),
    max_record_size: ENTRY_BYTES_MAX,
  });
  const rows = Readable.from(all, { signal: source.signal }).pipe(parser);
  let sheet: Sheet | undefined;
  let line = 1;
  try {
    for await (const { record, info } of rows as AsyncIterable<Row>) {
      // A row ends at that line; one with line breaks in its cells begins before it.
      const place = { line: Math.max(line, info.lines - breaksIn(record)), bytes: info.bytes };
      line = info.lines;
      if (sheet === undefined) {
        sheet = headOf(source, place.line, record);
        tell(sheet);
      } else yield rowEntry(source, { sheet, record, place });
    }
  } catch (error) {
    throw error instanceof CsvError ? new UsageError(`${source.name}: ${error.message}`) : error;
  }
}

const breaksIn = (record: readonly string[]): number =>
  record.reduce((sum, cell) => sum + (cell.includes('\n') ? cell.split('\n').length - 1 : 0), 0);

const headOf = (source: Source, line: number, titles: readonly string[]): Sheet => {
  try {
    return sheetOf(titles);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${source.name}: line ${line}: ${error.message}`, error.cure);
  }
};

type Read = {
  readonly sheet: Sheet;
  readonly record: readonly string[];
  readonly place: { readonly line: number; readonly bytes: number };
};

const rowEntry = (source: Source, { sheet, record, place }: Read): Entry => {
  const id = sheet.nameOf(record);
  const wrong = (problem: string): Entry => ({ ...place, kind: 'wrong', id, problem });
  if (record.length !== sheet.width) {
    return wrong(`has ${record.length} cells for ${sheet.width} columns`);
  }
  if (id === '') return wrong('column "name" is empty');
  try {
    return { ...place, id, ...sheet.rowOf(record, source) };
  } catch (error) {
    if (error instanceof UsageError) {
      return wrong([error.message, error.cure].filter((text) => text !== '').join('; '));
    }
    throw error;
  }
};

type Peeked = { readonly first: string; readonly all: AsyncIterable<Uint8Array> };

/** The first line, as far as it is needed, and everything with it. */
const peek = async (parts: AsyncIterable<Uint8Array>): Promise<Peeked> => {
  const iterator = parts[Symbol.asyncIterator]();
  const begin: Uint8Array[] = [];
  let first = Buffer.alloc(0);
  while (first.length < SAMPLE_BYTES && !first.includes('\n')) {
    const next = await iterator.next();
    if (next.done) break;
    begin.push(next.value);
    first = Buffer.concat([first, next.value]);
  }
  const all = async function* () {
    yield* begin;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      yield next.value;
    }
  };
  return { first: first.toString('utf8').split(/\r?\n/)[0] ?? '', all: all() };
};

/** Spreadsheets of some countries write semicolons, and some programs tabs. */
const delimiterOf = (titles: string): string => {
  const counted = [',', ';', '\t'].map((one) => [titles.split(one).length, one] as const);
  return counted.reduce((best, one) => (one[0] > best[0] ? one : best), counted[0] ?? [0, ','])[1];
};
