import type { Provider } from '../../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { Args, Command, Context } from '../../command.ts';
import { PROVIDER_TYPE_WORDS, parseProviderType } from '../../format/provider-type.ts';
import type { Column } from '../../format/table.ts';
import { NARROW_OPTIONS, namedColumns, narrowed } from '../../narrow.ts';
import { showSome } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { providerNoun } from '../provider.ts';
import { findProviders } from './find.ts';
import { allStates, readStanding, type Standing } from './standing.ts';

/** Of more providers it would take longer to ask than to read. */
const STANDING_SHOWN = 5_000;
const STANDING_COLUMNS = ['state', 'held-by', 'until'];

export const list: Command = {
  summary: 'list providers: what they have, where they stand, and who holds them until when',
  options: {
    group: { type: 'string', value: 'ID', help: 'in this group or one inside it' },
    capability: { type: 'string', value: 'CODE', help: 'with this capability' },
    'resource-type': { type: 'string', value: 'CODE', help: 'that offer this' },
    tag: { type: 'string', value: 'TEXT', help: 'with this tag' },
    type: { type: 'string', value: 'KIND', help: PROVIDER_TYPE_WORDS },
    'in-tree': { type: 'string', value: 'NAME', help: 'parts of this provider, and itself' },
    ...NARROW_OPTIONS,
  },
  examples: [
    'runm provider list --group rack1 --filter state=available --sort memory',
    'runm provider list --filter "held-by=red/*" --sort until',
    'runm provider list --filter problem!=-',
  ],
  run: async (context, args) => {
    const filter = filterOf(args);
    const rows = await findProviders(context, filter);
    // What the server has left out nobody counted.
    const isWhole = Object.values(filter).every((one) => one === '');
    const columns = await columnsFor(context, args, rows);
    await showSome(
      context.output,
      { ...providerNoun, columns },
      {
        rows: narrowed(rows, columns, args),
        count: rows.length,
        where: isWhole ? ` in partition ${context.settings.partition}` : ' of that kind',
      },
    );
    return undefined;
  },
};

const filterOf = (args: Args) => {
  const type = args.string('type');
  return {
    group: lastSegment(args.string('group') ?? ''),
    capability: args.string('capability') ?? '',
    resourceType: args.string('resource-type') ?? '',
    tag: args.string('tag') ?? '',
    inTree: lastSegment(args.string('in-tree') ?? ''),
    ...(type !== undefined && { type: parseProviderType(type, '--type') }),
  };
};

/** Programs read what is declared; what it takes to say more is asked for people only. */
const columnsFor = async (
  context: Context,
  args: Args,
  rows: readonly Provider[],
): Promise<readonly Column<Provider>[]> => {
  const named = namedColumns(args);
  const isNamed = STANDING_COLUMNS.some((column) => named.has(column));
  const isShown = context.output.mode === 'table' && rows.length > 0;
  if (!isNamed && !isShown) return providerNoun.columns;
  if (rows.length > STANDING_SHOWN && !isNamed) {
    const what = `state and holder are shown of up to ${STANDING_SHOWN} providers`;
    context.output.remark(`${what}; narrow it with --group, or ask with --filter state=…`);
    return providerNoun.columns;
  }
  const providerGroup = lastSegment(args.string('group') ?? '');
  const standing = await readStanding(context, allStates(context), { providerGroup });
  const before = providerNoun.columns.findIndex(({ title }) => title === 'GROUPS');
  return providerNoun.columns.toSpliced(before, 0, ...standingColumns(standing));
};

const standingColumns = ({ state, heldBy, until }: Standing): readonly Column<Provider>[] => [
  { title: 'STATE', value: ({ uid }) => state(uid) },
  { title: 'HELD BY', value: ({ uid }) => heldBy(uid) },
  { title: 'UNTIL', value: ({ uid }) => until(uid) },
];
