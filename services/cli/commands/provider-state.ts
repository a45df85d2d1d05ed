import { createClient } from '@connectrpc/connect';
import {
  ProviderLifeState,
  ProviderLifeStateSchema,
  type ProviderState,
  ProviderStateSchema,
} from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { ProviderStateService } from '../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { confirmByName, YES } from '../confirm.ts';
import { enumWord } from '../format/enum-word.ts';
import { formatAgo, formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { NARROW_OPTIONS, narrowed } from '../narrow.ts';
import { type Shown, showList, showOne } from '../output.ts';
import { inPartition } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { atEach, showOutcomes } from './provider/each.ts';
import { SEVERAL, targetsOf, whomOf } from './provider/find.ts';
import { allStates, stateWord } from './provider/standing.ts';

const useWord = ({ inUse, useUnknown }: ProviderState): string => {
  if (useUnknown) return 'not known, as the scheduler does not answer; ask again';
  return inUse ? 'yes' : 'no';
};

const DRAINED = 'its agents are drained';

const providerId = ({ name }: ProviderState): string => name.split('/').at(-2) ?? name;

const shown: Shown<typeof ProviderStateSchema> = {
  schema: ProviderStateSchema,
  name: ({ name }) => name,
  columns: [
    { title: 'PROVIDER', value: providerId },
    { title: 'STATE', value: stateWord },
    { title: 'BY', value: ({ principal }) => principal },
    {
      title: 'REASON',
      value: (one) => one.problem?.message || (one.drained ? DRAINED : one.reason),
    },
    { title: 'CLEANING', value: ({ cleanings }) => cleanings.map(({ claim }) => claim).join(' ') },
  ],
};

const stateName = (context: Context, typed: string): string =>
  `${inPartition(context.settings, 'providers', typed)}/state`;

const people = (one: ProviderState, context: Context): string =>
  formatFields([
    ['provider', one.name.replace(/\/state$/, '')],
    ['uid', one.providerUid],
    ['state', stateWord(one)],
    ['in use', useWord(one)],
    ['new claims', one.drained ? `none: ${DRAINED}` : ''],
    ['reason', one.reason],
    ['by', one.principal],
    ['problem', one.problem?.message ?? ''],
    ['since', formatAgo(one.updateTime, context.clock.now())],
    ['ends by itself', one.deadline === undefined ? '' : `by ${formatLocalTime(one.deadline)}`],
    ...one.cleanings.map(({ claim, since, state: life }): [string, string] => [
      life === ProviderLifeState.CLEANING
        ? 'waits for cleaning'
        : enumWord(ProviderLifeStateSchema, life),
      `after ${claim}, ${formatAgo(since, context.clock.now())}`,
    ]),
  ]);

/** Without a name the states of all. */
export const state: Command = {
  summary: 'show where providers stand: open, in use, closed, waiting for a cleaning',
  positionals: [{ name: 'name', help: 'name or uid of the provider', optional: true }],
  options: NARROW_OPTIONS,
  examples: ['runm provider state', 'runm provider state --filter "state=*failed"'],
  run: async (context, args) => {
    const states = client(context);
    const typed = args.optionalPositional('name');
    if (typed !== undefined) {
      const request = { name: stateName(context, typed) };
      const { providerState } = await states.getProviderState(request, callOptions(context));
      await showState(context, providerState);
      return undefined;
    }
    const rows = await allStates(context);
    await showList(context.output, shown, narrowed(rows, shown.columns, args));
    return undefined;
  },
};

const showState = async (context: Context, one: ProviderState | undefined): Promise<void> => {
  if (!one) throw new Error('the answer holds no state');
  await showOne(context.output, shown, { message: one, people: () => people(one, context) });
};

type Call = (
  context: Context,
  request: { readonly name: string; readonly reason: string; readonly requestId: string },
) => Promise<{ readonly providerState?: ProviderState | undefined }>;

const client = (context: Context) => createClient(ProviderStateService, context.transport());

type Verb = {
  /** As it is typed. */
  readonly verb: string;
  readonly summary: string;
  readonly isReasonNeeded?: boolean;
  /** What befalls a provider, said before it is done. Absent: nothing that cannot be undone. */
  readonly what?: (whom: string) => string;
  /** The answer comes before the work at the controller has ended. */
  readonly follow?: boolean;
};

const verb = ({ isReasonNeeded = false, ...told }: Verb, call: Call): Command => ({
  summary: told.summary,
  ...SEVERAL,
  options: {
    ...SEVERAL.options,
    reason: {
      type: 'string',
      value: 'TEXT',
      help: `why, for whoever looks at it later${isReasonNeeded ? '; needed' : ''}`,
    },
    ...(told.what && YES),
  },
  examples: ['r1u1', '--group rack1'].map(
    (whom) =>
      `runm provider ${told.verb} ${whom}${isReasonNeeded ? ' --reason "new fans"' : ''}` +
      (told.what ? ' --yes' : ''),
  ),
  run: async (context, args) => {
    const reason = args.string('reason') ?? '';
    if (isReasonNeeded && reason === '') {
      throw new UsageError('--reason is missing', 'say why, for example --reason "new disk"');
    }
    const targets = await targetsOf(context, args, () => true);
    if (told.what) {
      const deed = { name: targets.together, what: told.what(whomOf(targets)) };
      await confirmByName(context, args, deed);
    }
    const send = async (name: string) => {
      const requestId = context.random.requestId();
      const request = { name: `${name}/state`, reason, requestId };
      const { providerState } = await call(context, request);
      if (!providerState) throw new Error('the answer holds no state');
      return providerState;
    };
    if (targets.isMany) {
      const outcomes = await atEach(context, targets.names, async (one) =>
        stateWord(await send(one)),
      );
      const code = await showOutcomes(context, outcomes, 'state');
      if (told.follow && context.output.mode === 'table') {
        context.output.remark(
          'their controllers are asked now; how it ends: runm event list --all',
        );
      }
      return code;
    }
    const changed = await send(targets.names[0] ?? '');
    await showState(context, changed);
    if (told.follow && context.output.mode === 'table') {
      context.output.remark(
        `its controller is asked now; how it ends: runm provider timeline ${providerId(changed)}`,
      );
    }
    if (changed.inUse && isClosed(changed)) {
      context.output.remark('claims that hold it go on; no new ones come');
    }
    return undefined;
  },
});

const CLOSED = new Set<ProviderLifeState>([
  ProviderLifeState.MAINTENANCE,
  ProviderLifeState.QUARANTINED,
  ProviderLifeState.RETIRED,
]);

const isClosed = ({ state: life }: ProviderState): boolean => CLOSED.has(life);

export const accept = verb(
  { verb: 'accept', summary: 'open a provider that has no agent of ours' },
  (context, asked) => client(context).acceptProvider(asked, callOptions(context)),
);

export const maintain = verb(
  { verb: 'maintain', summary: 'close a provider for work on it', isReasonNeeded: true },
  (context, asked) => client(context).maintainProvider(asked, callOptions(context)),
);

export const quarantine = verb(
  {
    verb: 'quarantine',
    summary: 'close a provider that is not to be trusted',
    isReasonNeeded: true,
  },
  (context, asked) => client(context).quarantineProvider(asked, callOptions(context)),
);

export const giveBack = verb(
  {
    verb: 'return',
    summary:
      'say that a provider is in order and clean: ended claims give it back, and it opens again',
  },
  (context, asked) => client(context).returnProvider(asked, callOptions(context)),
);

export const inspect = verb(
  {
    verb: 'inspect',
    summary: 'have the controller asked anew what the hardware is; one that is not open opens then',
    follow: true,
  },
  (context, asked) => client(context).inspectProvider(asked, callOptions(context)),
);

export const clean = verb(
  {
    verb: 'clean',
    summary: 'clean anew what could not be cleaned',
    follow: true,
    what: (whom) => `this erases what is left on ${whom}`,
  },
  (context, asked) => client(context).cleanProvider(asked, callOptions(context)),
);

export const adopt = verb(
  {
    verb: 'adopt',
    summary:
      'take a provider out of whatever state it is in, on your word that it is in order and clean',
    isReasonNeeded: true,
  },
  (context, asked) => client(context).adoptProvider(asked, callOptions(context)),
);

export const retire = verb(
  {
    verb: 'retire',
    summary: 'close a provider to new claims for good',
    isReasonNeeded: true,
    what: (whom) => `this closes ${whom} for good`,
  },
  (context, asked) => client(context).retireProvider(asked, callOptions(context)),
);
