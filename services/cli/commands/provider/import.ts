import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Args, Command, Context } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { csvContents } from '../../import/csv.ts';
import { ndjsonContents, yamlContents } from '../../import/documents.ts';
import type { Contents, Source } from '../../import/entry.ts';
import { createReport } from '../../import/report.ts';
import { Stopped, sendEntries } from '../../import/send.ts';
import { shellQuoted } from '../../parse-args.ts';
import { UsageError } from '../../usage-error.ts';

const FORMATS: Readonly<Record<string, (source: Source) => Contents>> = {
  yaml: yamlContents,
  csv: csvContents,
  ndjson: ndjsonContents,
};

const OF_EXTENSION: Readonly<Record<string, string>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'yaml',
  '.csv': 'csv',
  '.tsv': 'csv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
};

/** Named `importProviders`: `import` is a word of the language. */
export const importProviders: Command = {
  summary: 'make providers what a file says; what is so already is left alone',
  options: {
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      help: 'YAML, CSV or NDJSON; "-" for standard input',
    },
    format: {
      type: 'string',
      value: 'FORMAT',
      help: 'yaml, csv or ndjson (as the file is called)',
    },
    'dry-run': { type: 'boolean', help: 'show what would change; write nothing' },
    each: { type: 'boolean', help: 'show every item, not only what fails or would change' },
    'from-line': { type: 'string', value: 'N', help: 'leave out what begins before that line' },
  },
  examples: [
    'runm provider import -f fleet.yaml --dry-run',
    'runm provider import -f fleet.csv',
    'runm provider export > fleet.yaml',
  ],
  run: (context, args) => importFile(context, args, args.flag('dry-run')),
};

const { 'dry-run': _, 'from-line': __, ...COMPARED } = importProviders.options ?? {};

/** The same without a doubt that nothing is written. */
export const diff: Command = {
  summary: 'show what applying a file would change, field by field; writes nothing',
  options: COMPARED,
  examples: ['runm export > fleet.yaml', 'runm diff -f fleet.yaml'],
  run: (context, args) => importFile(context, args, true),
};

const importFile = async (context: Context, args: Args, dryRun: boolean): Promise<number> => {
  const file = args.string('file');
  if (file === undefined) {
    throw new UsageError('--file is missing', 'for example -f fleet.yaml; - is standard input');
  }
  const { partition } = context.settings;
  const contents = contentsOf(context, args, file);
  const bytes = file === '-' ? undefined : await sizeOf(file);
  const report = createReport(context, { dryRun, each: args.flag('each'), bytes });
  try {
    const fromLine = lineOf(args.string('from-line'));
    await sendEntries(context, { contents, partition, dryRun, fromLine, onDone: report.done });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    // A file that cannot be read from its first line on: nothing was done, nothing goes on.
    if (report.isEmpty() && error.cause instanceof UsageError) throw error.cause;
    report.end();
    if (!dryRun) context.output.remark(goOn(file, args, error.line));
    throw error.cause;
  }
  report.end();
  if (report.isEmpty()) context.output.remark(`${file} holds nothing to import`);
  return report.hasFailed() ? EXIT.failed : EXIT.ok;
};

const goOn = (file: string, args: Args, line: number): string => {
  const format = args.string('format');
  const words = [
    'runm provider import -f',
    shellQuoted(file),
    ...(format === undefined ? [] : ['--format', format]),
    `--from-line ${line}`,
  ];
  const done = `what begins before line ${line} is done`;
  return `stopped before the end; ${done}. Go on with: ${words.join(' ')}`;
};

const lineOf = (text: string | undefined): number => {
  if (text === undefined) return 1;
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new UsageError(`--from-line: "${text}" is no line`);
};

const sizeOf = async (file: string): Promise<number> => {
  try {
    return (await stat(file)).size;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    throw new UsageError(`cannot read ${file}: ${WHY[code] ?? code}`);
  }
};

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EPERM: 'you may not read it',
};

const contentsOf = (context: Context, args: Args, file: string): Contents => {
  const given = args.string('format') ?? OF_EXTENSION[extname(file).toLowerCase()];
  const format = given ?? (file === '-' ? 'yaml' : undefined);
  const read = FORMATS[format ?? ''];
  if (read === undefined) {
    throw new UsageError(
      format === undefined ? `what is ${file}?` : `--format: "${format}" is no format`,
      `say --format ${Object.keys(FORMATS).join(', ')}`,
    );
  }
  const bytes =
    file === '-' ? bytesOf(context.stdin) : createReadStream(file, { signal: context.signal });
  const { partition, project } = context.settings;
  return read({ name: file, bytes, partition, project, signal: context.signal });
};

async function* bytesOf(parts: AsyncIterable<string | Uint8Array>) {
  for await (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}
