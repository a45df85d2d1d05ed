import { readFile } from 'node:fs/promises';
import { type CallOptions, createClient } from '@connectrpc/connect';
import {
  type AttachConsoleResponse,
  ConsoleService,
} from '../../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command, Context } from '../../command.ts';
import { attachTerminal } from '../../console-terminal.ts';
import { parseSizeBytes } from '../../format/size.ts';
import { askHidden } from '../../hidden-line.ts';
import { LINGER, typingOf } from '../../typist.ts';
import { UsageError } from '../../usage-error.ts';

type Asked = {
  readonly token: string;
  readonly readOnly: boolean;
  readonly replayBytes: number;
  readonly reason: string;
};

/** A token is never an argument: others on the same host see those. */
export const join: Command = {
  summary: 'open the console for which somebody gave you a token; asks for it',
  options: {
    'token-file': { type: 'string', value: 'PATH', help: 'read the token from there' },
    reason: { type: 'string', value: 'TEXT', help: 'told to whoever is taken over' },
    'read-only': { type: 'boolean', help: 'only watch; whoever types there stays' },
    tail: { type: 'string', value: 'SIZE', help: 'how much captured output comes first (8KiB)' },
    ...LINGER,
  },
  run: async (context, args) => {
    const typing = typingOf(args.flag('read-only'), args.string('linger'));
    const replayBytes = Number(parseSizeBytes(args.string('tail') ?? '8KiB', '--tail'));
    const asked = {
      token: await tokenFrom(context, args.string('token-file')),
      readOnly: args.flag('read-only'),
      replayBytes,
      reason: args.string('reason') ?? '',
    };
    return attachTerminal(context, {
      name: 'the console',
      typing,
      left: 'left the console; the machine goes on',
      connect: (typed, options) => connect(context, asked, { typed, options }),
    });
  },
};

const tokenFrom = async (context: Context, path: string | undefined): Promise<string> => {
  if (path !== undefined) {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new UsageError(`--token-file: ${path} cannot be read: ${String(error)}`);
    });
    return text.trim();
  }
  if (!context.stdin.isTTY) {
    throw new UsageError('there is no terminal to ask for the token on', 'see --token-file');
  }
  return (await askHidden(context, 'token')).trim();
};

type Terminal = {
  readonly typed: AsyncIterable<Uint8Array>;
  readonly options: CallOptions;
};

async function* connect(
  context: Context,
  asked: Asked,
  { typed, options }: Terminal,
): AsyncGenerator<AttachConsoleResponse> {
  const client = createClient(ConsoleService, context.transport());
  const { token } = asked;
  const type = async (sessionId: string): Promise<void> => {
    for await (const data of typed) {
      await client.writeConsoleByToken({ token, sessionId, data }, callOptions(context));
    }
  };
  for await (const { content } of client.watchConsoleByToken(asked, options)) {
    const opened = content?.content.case === 'opened' ? content.content.value : undefined;
    // What is refused was said when it was taken over.
    if (opened !== undefined) type(opened.sessionId).catch(() => undefined);
    if (content !== undefined) yield content;
  }
}
