import { createClient } from '@connectrpc/connect';
import {
  ConsoleService,
  IssueConsoleTokenResponseSchema,
} from '../../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { formatLocalTime, parseSpanSeconds, secondsToDuration } from '../../format/span.ts';
import { type Shown, showOne } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { machineNoun } from './noun.ts';

const tokenNoun: Shown<typeof IssueConsoleTokenResponseSchema> = {
  schema: IssueConsoleTokenResponseSchema,
  name: ({ token }) => token,
  columns: [],
};

export const share: Command = {
  summary: 'make a token for the console of one machine, for somebody without an account',
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  options: {
    for: { type: 'string', value: 'SPAN', help: 'how long it is good for (10m, at most 1d)' },
    'read-only': { type: 'boolean', help: 'it only watches' },
  },
  examples: ['runm machine share demo --for 30m', 'runm machine join'],
  run: async (context, args) => {
    const name = machineNoun.fullName(context, args.positional('name'));
    const span = args.string('for');
    const answer = await createClient(ConsoleService, context.transport()).issueConsoleToken(
      {
        name,
        readOnly: args.flag('read-only'),
        ...(span !== undefined && { lifetime: secondsToDuration(parseSpanSeconds(span, '--for')) }),
      },
      callOptions(context),
    );
    await showOne(context.output, tokenNoun, { message: answer, people: () => answer.token });
    if (context.output.mode === 'table') {
      context.output.remark(
        `whoever has this token opens the console of ${lastSegment(name)} with ` +
          `runm machine join, until ${formatLocalTime(answer.expireTime)}`,
      );
    }
    return undefined;
  },
};
