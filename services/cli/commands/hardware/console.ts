import { createClient } from '@connectrpc/connect';
import { ProviderConsoleService } from '../../../../gen/runmachine/machine/v1/provider_console_service_pb.ts';
import type { Command, Context } from '../../command.ts';
import { attachTerminal } from '../../console-terminal.ts';
import { parseSizeBytes } from '../../format/size.ts';
import { LINGER, type Typing, typingOf } from '../../typist.ts';
import { asked, FORCE, PROVIDER } from './ask.ts';

export const providerConsole: Command = {
  summary: 'type at the serial console of a provider; ctrl-] leaves',
  positionals: PROVIDER,
  options: {
    ...FORCE,
    'read-only': { type: 'boolean', help: 'only watch; whoever types there stays' },
    tail: { type: 'string', value: 'SIZE', help: 'how much captured output comes first (8KiB)' },
    ...LINGER,
  },
  run: (context, args) => {
    const { name, force, reason } = asked(context, args);
    const replayBytes = Number(parseSizeBytes(args.string('tail') ?? '8KiB', '--tail'));
    const readOnly = args.flag('read-only');
    const typing = typingOf(readOnly, args.string('linger'));
    return attach(context, { name, force, reason, replayBytes, readOnly }, typing);
  },
};

type Open = {
  readonly name: string;
  readonly force: boolean;
  readonly reason: string;
  readonly replayBytes: number;
  readonly readOnly: boolean;
};

const attach = (context: Context, open: Open, typing: Typing): Promise<undefined> => {
  const client = createClient(ProviderConsoleService, context.transport());
  return attachTerminal(context, {
    name: open.name,
    typing,
    left: 'left the console; the provider goes on',
    connect: async function* (typed, options) {
      const requests = async function* () {
        yield { content: { case: 'open' as const, value: open } };
        for await (const value of typed) yield { content: { case: 'data' as const, value } };
      };
      for await (const { content } of client.attachProviderConsole(requests(), options)) {
        if (content !== undefined) yield content;
      }
    },
  });
};
