import { createClient } from '@connectrpc/connect';
import { ConsoleService } from '../../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command, Context } from '../../command.ts';
import { parseSizeBytes } from '../../format/size.ts';
import { lastSegment } from '../../resource-names.ts';
import { openTypist } from '../../typist.ts';
import { UsageError } from '../../usage-error.ts';
import { machineNoun } from './noun.ts';

const DAY_MS = 24 * 3600 * 1000;

export const machineConsole: Command = {
  summary: 'type at the serial console; ctrl-] leaves',
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  options: {
    log: { type: 'boolean', help: 'print what was captured and exit' },
    'read-only': { type: 'boolean', help: 'only watch; whoever types there stays' },
    tail: { type: 'string', value: 'SIZE', help: 'how much captured output comes first (8KiB)' },
  },
  run: async (context, args) => {
    const name = machineNoun.fullName(context, args.positional('name'));
    if (args.flag('log')) return printLog(context, name);
    const replayBytes = Number(parseSizeBytes(args.string('tail') ?? '8KiB', '--tail'));
    return attach(context, { name, readOnly: args.flag('read-only'), replayBytes });
  },
};

const printLog = async (context: Context, name: string): Promise<undefined> => {
  const client = createClient(ConsoleService, context.transport());
  const answer = await client.getConsoleLog({ name, tailBytes: 1024 * 1024 }, callOptions(context));
  if (answer.truncated) context.output.remark('(older output is left out)');
  context.output.raw(answer.data);
  return undefined;
};

const attach = async (
  context: Context,
  { name, readOnly, replayBytes }: { name: string; readOnly: boolean; replayBytes: number },
): Promise<undefined> => {
  const client = createClient(ConsoleService, context.transport());
  await using typist = openTypist(context);
  const open = { case: 'open' as const, value: { name, readOnly, replayBytes } };
  const requests = async function* () {
    yield { content: open };
    for await (const data of typist.typed())
      yield { content: { case: 'data' as const, value: data } };
  };
  const stream = client.attachConsole(requests(), { signal: typist.signal, timeoutMs: DAY_MS });
  try {
    for await (const { content } of stream) {
      if (content.case === 'data') context.output.raw(content.value);
      else if (content.case === 'opened') {
        typist.begin();
        context.output.remark(`connected to ${lastSegment(name)}; ctrl-] leaves\r`);
      } else if (content.case === 'takenOver') {
        context.output.remark(`\r\n${content.value}; you only watch now\r`);
      } else if (content.case === 'closed') {
        context.output.remark(`\r\nconsole closed: ${content.value}\r`);
        return undefined;
      }
    }
  } catch (error) {
    if (!typist.left()) throw context.signal.aborted ? new UsageError('interrupted') : error;
  }
  context.output.remark('\r\nleft the console; the machine goes on\r');
  return undefined;
};
