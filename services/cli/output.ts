import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { jsonText } from './format/json-text.ts';
import { type Column, formatTable } from './format/table.ts';
import { proposedIn } from './proposed.ts';

export type OutputMode = 'table' | 'json' | 'yaml' | 'quiet';

/** Results go to stdout, remarks to stderr. */
export type Output = {
  readonly mode: OutputMode;
  readonly isTerminal: boolean;
  /** How wide a picture may be: the terminal's width, or 80 where there is none. */
  readonly columns: number;
  readonly result: (text: string) => void;
  readonly remark: (text: string) => void;
  /** A line that is written over by the next one on a terminal, and left out off a terminal. */
  readonly progress: (text: string) => void;
  readonly raw: (bytes: Uint8Array) => void;
};

export type OutputStreams = {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
};

/** `place` are the options that say where somebody works, as he typed them. */
export const createOutput = (
  streams: OutputStreams,
  mode: OutputMode,
  place: readonly string[] = [],
): Output => {
  let open = false;
  const endProgress = () => {
    if (open) streams.stderr.write('\r\u001b[K');
    open = false;
  };
  return {
    mode,
    isTerminal: streams.stdout.isTTY === true,
    columns: (streams.stdout.isTTY === true && streams.stdout.columns) || 80,
    result: (text) => {
      endProgress();
      streams.stdout.write(`${text}\n`);
    },
    remark: (text) => {
      endProgress();
      streams.stderr.write(`${proposedIn(place, text)}\n`);
    },
    progress: (text) => {
      if (streams.stderr.isTTY !== true || mode !== 'table') return;
      endProgress();
      streams.stderr.write(text.slice(0, Math.max(20, (streams.stderr.columns ?? 80) - 1)));
      open = true;
    },
    raw: (bytes) => {
      endProgress();
      streams.stdout.write(bytes);
    },
  };
};

export type Shown<Schema extends DescMessage> = {
  readonly schema: Schema;
  readonly columns: readonly Column<MessageShape<Schema>>[];
  readonly name: (message: MessageShape<Schema>) => string;
};

/** A table for people, cut to the width of the terminal where there is one. */
export const tableText = <Row>(
  output: Output,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string => formatTable(columns, rows, output.isTerminal ? output.columns : undefined);

/** What is no message of the contract: a document for programs, a text for people. */
export const showData = async (
  output: Output,
  value: unknown,
  people: () => string,
): Promise<void> => {
  if (output.mode === 'json' || output.mode === 'yaml') await showDocument(output, value);
  else output.result(people());
};

/** Nothing is left to be shown but that, which programs read as a document. */
export const sayDeleted = (output: Output, name: string, text: string): Promise<void> =>
  showDeed(output, { name, deleted: true }, text);

/** What was done: a remark for people, a document for programs. */
export const showDeed = async (output: Output, value: unknown, text: string): Promise<void> => {
  if (output.mode === 'json' || output.mode === 'yaml') await showDocument(output, value);
  else output.remark(text);
};

/** A list in the wanted form: a table, one JSON or YAML document, or names only. */
export const showList = async <Schema extends DescMessage>(
  output: Output,
  shown: Shown<Schema>,
  rows: readonly MessageShape<Schema>[],
): Promise<void> =>
  showMany(output, shown, { rows, people: () => tableText(output, shown.columns, rows) });

type Narrowed<Schema extends DescMessage> = {
  /** Those that are shown. */
  readonly rows: readonly MessageShape<Schema>[];
  /** How many there are. */
  readonly count: number;
  /** " in project red"; empty where there is no place. */
  readonly where: string;
};

/** A list of which options chose some; nobody should look for a thing in the wrong place. */
export const showSome = async <Schema extends DescMessage>(
  output: Output,
  shown: Shown<Schema>,
  { rows, count, where }: Narrowed<Schema>,
): Promise<void> => {
  if (output.mode === 'table' && rows.length === 0) {
    output.remark(count > 0 ? `none of ${count} match` : `none${where}`);
  } else await showList(output, shown, rows);
};

/** The same, where people read something else than one line an object. */
export const showMany = async <Schema extends DescMessage>(
  output: Output,
  shown: Pick<Shown<Schema>, 'schema' | 'name'>,
  { rows, people }: { rows: readonly MessageShape<Schema>[]; people: () => string },
): Promise<void> => {
  switch (output.mode) {
    case 'json':
    case 'yaml': {
      const { messageToJson } = await import('./format/message.ts');
      await showDocument(
        output,
        rows.map((row) => messageToJson(shown.schema, row)),
      );
      return;
    }
    case 'quiet':
      for (const row of rows) output.result(shown.name(row));
      return;
    case 'table':
      if (rows.length === 0) output.remark('none');
      else output.result(people());
  }
};

/** One object in the wanted form; `people` renders it for a table. */
export const showOne = async <Schema extends DescMessage>(
  output: Output,
  shown: Pick<Shown<Schema>, 'schema' | 'name'>,
  one: { readonly message: MessageShape<Schema>; readonly people: () => string },
): Promise<void> => {
  switch (output.mode) {
    case 'json':
    case 'yaml': {
      const { messageToJson } = await import('./format/message.ts');
      await showDocument(output, messageToJson(shown.schema, one.message));
      return;
    }
    case 'quiet':
      output.result(shown.name(one.message));
      return;
    case 'table':
      output.result(one.people());
  }
};

const showDocument = async (output: Output, value: unknown): Promise<void> => {
  if (output.mode === 'json') output.result(jsonText(value));
  else output.result((await import('./format/message.ts')).yamlText(value));
};
