import { createClient } from '@connectrpc/connect';
import { ConsoleService } from '../../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command, Context } from '../../command.ts';
import { attachTerminal } from '../../console-terminal.ts';
import { parseSizeBytes } from '../../format/size.ts';
import { showData } from '../../output.ts';
import { LINGER, type Typing, typingOf } from '../../typist.ts';
import { machineNoun } from './noun.ts';

export const machineConsole: Command = {
  summary: 'type at the serial console; ctrl-] leaves',
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  options: {
    log: { type: 'boolean', help: 'print what was captured and exit' },
    grep: { type: 'string', value: 'TEXT', help: 'of what was captured the lines with this text' },
    reason: { type: 'string', value: 'TEXT', help: 'told to whoever is taken over' },
    'read-only': { type: 'boolean', help: 'only watch; whoever types there stays' },
    tail: { type: 'string', value: 'SIZE', help: 'how much captured output comes first (8KiB)' },
    ...LINGER,
  },
  run: async (context, args) => {
    const name = machineNoun.fullName(context, args.positional('name'));
    const contains = args.string('grep') ?? '';
    if (args.flag('log') || contains !== '') return printLog(context, name, contains);
    const replayBytes = Number(parseSizeBytes(args.string('tail') ?? '8KiB', '--tail'));
    const reason = args.string('reason') ?? '';
    const readOnly = args.flag('read-only');
    const typing = typingOf(readOnly, args.string('linger'));
    return attach(context, { name, readOnly, replayBytes, reason }, typing);
  },
};

const printLog = async (context: Context, name: string, contains: string): Promise<undefined> => {
  const client = createClient(ConsoleService, context.transport());
  const asked = { name, contains, tailBytes: 1024 * 1024 };
  const answer = await client.getConsoleLog(asked, callOptions(context));
  const { output } = context;
  if (output.mode === 'json' || output.mode === 'yaml') {
    const text = Buffer.from(answer.data).toString('utf8');
    await showData(output, { text, truncated: answer.truncated }, () => text);
    return undefined;
  }
  if (answer.truncated) output.remark('(older output is left out)');
  output.raw(answer.data);
  return undefined;
};

const attach = (
  context: Context,
  open: {
    readonly name: string;
    readonly readOnly: boolean;
    readonly replayBytes: number;
    readonly reason: string;
  },
  typing: Typing,
): Promise<undefined> => {
  const client = createClient(ConsoleService, context.transport());
  return attachTerminal(context, {
    name: open.name,
    typing,
    left: 'left the console; the machine goes on',
    connect: (typed, options) => {
      const requests = async function* () {
        yield { content: { case: 'open' as const, value: open } };
        for await (const value of typed) yield { content: { case: 'data' as const, value } };
      };
      return client.attachConsole(requests(), options);
    },
  });
};
