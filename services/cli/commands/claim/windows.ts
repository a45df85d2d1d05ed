import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import {
  ClaimService,
  type Window,
  WindowSchema,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import { ASK_OPTIONS, FILE_OPTION, REQUEST_OPTIONS } from '../../claim-options.ts';
import { windowSeconds } from '../../claim-window.ts';
import type { Args, Command, Context } from '../../command.ts';
import {
  formatAgo,
  formatLocalTime,
  optionalTime,
  parseSpanSeconds,
  secondsToDuration,
  spanText,
} from '../../format/span.ts';
import { showList } from '../../output.ts';
import { shellQuoted } from '../../parse-args.ts';
import { UsageError } from '../../usage-error.ts';
import { untimedSpec } from '../../wanted-claims.ts';

export const windows: Command = {
  summary: 'find when a request would fit for a time, earliest first',
  options: {
    ...ASK_OPTIONS,
    from: { type: 'string', value: 'TIME', help: 'earliest begin (now)' },
    until: { type: 'string', value: 'TIME', help: 'latest end (90 days after the earliest begin)' },
    limit: { type: 'string', value: 'N', help: 'most windows (5)' },
  },
  examples: ['runm claim windows --whole --count 8 --for 4h'],
  run: async (context, args) => {
    const limit = limitOf(args.string('limit') ?? '5');
    const now = context.clock.now();
    const span = args.string('for');
    const [earliest, latest] = (['from', 'until'] as const).map((name) =>
      optionalTime(args.string(name), `--${name}`, now),
    );
    const typedSeconds = span === undefined ? undefined : parseSpanSeconds(span, '--for');
    const { parent, spec } = await untimedSpec(context, args);
    const seconds = typedSeconds ?? windowSeconds(spec, now);
    if (!seconds) {
      throw new UsageError('--for is missing', 'say how long, for example --for 4h');
    }
    const client = createClient(ClaimService, context.transport());
    const duration = secondsToDuration(seconds);
    const bounds = { ...(earliest && { earliest }), ...(latest && { latest }), limit };
    const answer = await client.findWindows(
      { parent, spec, duration, ...bounds },
      callOptions(context),
    );
    await show(context, answer.windows);
    advise(context, args, { begin: answer.windows[0]?.begin, seconds });
    return undefined;
  },
};

const limitOf = (text: string): number => {
  if (!/^[1-9]\d?$|^100$/.test(text)) throw new UsageError('--limit is a number from 1 to 100');
  return Number(text);
};

const show = (context: Context, rows: readonly Window[]): Promise<void> => {
  const now = context.clock.now();
  const columns = [
    { title: 'BEGIN', value: ({ begin }: Window) => formatLocalTime(begin) },
    { title: 'THAT IS', value: ({ begin }: Window) => formatAgo(begin, now) },
    { title: 'LATEST BEGIN', value: ({ latestBegin }: Window) => formatLocalTime(latestBegin) },
    { title: 'PROVIDERS', value: ({ providers }: Window) => String(providers) },
  ];
  const name = ({ begin }: Window) => (begin ? timestampDate(begin).toISOString() : '');
  return showList(context.output, { schema: WindowSchema, columns, name }, rows);
};

const REQUEST_NAMES = new Set(Object.keys({ ...REQUEST_OPTIONS, ...FILE_OPTION }));

type First = { readonly begin: Timestamp | undefined; readonly seconds: number };

const advise = (context: Context, args: Args, { begin, seconds }: First): void => {
  if (context.output.mode !== 'table') return;
  const request = args.typed(REQUEST_NAMES);
  if (!begin) {
    context.output.remark(['next: runm claim explain', ...request].join(' '));
    return;
  }
  // A begin that has come is past by the time that it is typed.
  if (timestampDate(begin).getTime() <= context.clock.now().getTime()) {
    const now = ['next: runm claim create NAME', ...request, `--for ${spanText(seconds)}`];
    context.output.remark(now.join(' '));
    return;
  }
  const from = shellQuoted(timestampDate(begin).toISOString());
  const window = [`--from ${from}`, `--for ${spanText(seconds)}`];
  context.output.remark(['next: runm claim reserve NAME', ...request, ...window].join(' '));
};
