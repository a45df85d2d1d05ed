/** This terminal at a serial console, of a machine or of a provider. */
import type { CallOptions } from '@connectrpc/connect';
import type { AttachConsoleResponse } from '../../gen/runmachine/machine/v1/console_service_pb.ts';
import type { Context } from './command.ts';
import { lastSegment } from './resource-names.ts';
import { StoppedError } from './stopped-error.ts';
import { openTypist, type Typing } from './typist.ts';

const DAY_MS = 24 * 3600 * 1000;

export type Attached = {
  readonly name: string;
  /** Said when the terminal leaves. */
  readonly left: string;
  readonly typing: Typing;
  readonly connect: (
    typed: AsyncIterable<Uint8Array>,
    options: CallOptions,
  ) => AsyncIterable<AttachConsoleResponse>;
};

export const attachTerminal = async (
  context: Context,
  { name, left, typing, connect }: Attached,
): Promise<undefined> => {
  await using typist = openTypist(context, typing);
  const options = { signal: typist.signal, timeoutMs: DAY_MS };
  let end = left;
  try {
    for await (const { content } of connect(typist.typed(), options)) {
      if (content.case === 'data') context.output.raw(content.value);
      else if (content.case === 'opened') {
        const leaves = context.stdin.isTTY ? 'ctrl-]' : 'ctrl-c';
        context.output.remark(`connected to ${lastSegment(name)}; ${leaves} leaves\r`);
        typist.begin();
      } else if (content.case === 'takenOver') {
        context.output.remark(`\r\n${content.value}; you only watch now\r`);
      } else if (content.case === 'closed') {
        end = `console closed: ${content.value}`;
      }
    }
  } catch (error) {
    if (!typist.left()) {
      throw context.signal.aborted ? new StoppedError('interrupted', 'interrupted') : error;
    }
  }
  context.output.remark(`\r\n${end}\r`);
  return undefined;
};
