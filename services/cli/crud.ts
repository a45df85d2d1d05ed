import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Args, Command, Context, Option } from './command.ts';
import { NARROW_OPTIONS, narrowed } from './narrow.ts';
import { type Shown, sayDeleted, showOne, showSome } from './output.ts';
import { allPages } from './pages.ts';

/** Get, list and delete are alike for all nouns; a noun says how it is read and how it is shown. */
export type Noun<Schema extends DescMessage> = Shown<Schema> & {
  readonly singular: string;
  readonly fullName: (context: Context, typed: string) => string;
  readonly people: (message: MessageShape<Schema>, context: Context) => string;
};

type Page<Schema extends DescMessage> = Promise<{
  rows: readonly MessageShape<Schema>[];
  nextPageToken: string;
}>;

export const listCommand = <Schema extends DescMessage>(
  noun: Noun<Schema>,
  read: (
    context: Context,
    page: { pageToken: string; pageSize: number },
    args: Args,
  ) => Page<Schema>,
  options: Command['options'] = {},
): Command => ({
  summary: `list ${noun.singular}s`,
  options: { ...options, ...NARROW_OPTIONS },
  run: async (context, args) => {
    const rows = await allPages((pageToken) => read(context, { pageToken, pageSize: 1000 }, args));
    await showSome(context.output, noun, {
      rows: narrowed(rows, noun.columns, args),
      count: rows.length,
      where: placeOf(noun, context),
    });
    return undefined;
  },
});

const placeOf = <Schema extends DescMessage>(noun: Noun<Schema>, context: Context): string => {
  const parts = noun.fullName(context, 'x').split('/');
  const { partition, project } = context.settings;
  const above = new Set(parts.slice(0, -2));
  if (above.has('projects')) return ` in project ${project}`;
  return above.has('partitions') ? ` in partition ${partition}` : '';
};

export const getCommand = <Schema extends DescMessage>(
  noun: Noun<Schema>,
  read: (context: Context, name: string) => Promise<MessageShape<Schema> | undefined>,
): Command => ({
  summary: `show one ${noun.singular}`,
  positionals: [{ name: 'name', help: `name or uid of the ${noun.singular}` }],
  run: async (context, args) => {
    const message = await read(context, noun.fullName(context, args.positional('name')));
    if (!message) throw new Error(`the answer holds no ${noun.singular}`);
    await showOne(context.output, noun, { message, people: () => noun.people(message, context) });
    return undefined;
  },
});

export const deleteCommand = <Schema extends DescMessage>(
  noun: Noun<Schema>,
  remove: (context: Context, request: { name: string; allowMissing: boolean }) => Promise<void>,
): Command => ({
  summary: `delete one ${noun.singular}`,
  positionals: [{ name: 'name', help: `name or uid of the ${noun.singular}` }],
  options: { 'allow-missing': { type: 'boolean', help: 'succeed when it is not there' } },
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    await remove(context, { name, allowMissing: args.flag('allow-missing') });
    await sayDeleted(context.output, name, `deleted ${name}`);
    return undefined;
  },
});

/** Options of commands that start an operation. */
export const WAIT_OPTIONS: Readonly<Record<string, Option>> = {
  wait: { type: 'boolean', short: 'w', help: 'wait for the end and show the steps' },
  timeout: {
    type: 'string',
    value: 'SPAN',
    help: 'longest wait, for example 10m (15m, and what the boot may take)',
  },
};
