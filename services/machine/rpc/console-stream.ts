/**
 * What the consoles of machines and of providers share: streams, and sessions that are typed at.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type AttachConsoleResponse,
  AttachConsoleResponseSchema,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { failedPrecondition, invalidArgument, notFound } from '../../runtime/errors.ts';
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import type { ChannelPart, ConsoleHub, OpenConsole } from '../agent-port.ts';

/** Streams outlive the deadline of a call; the caller's signal ends them. */
export const streamOptions = (context: HandlerContext) => {
  const { headers, signal } = forCaller(context);
  return { ...(headers !== undefined && { headers }), ...(signal !== undefined && { signal }) };
};

export async function* prepend<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

type Typed = {
  readonly content:
    | { readonly case: 'data'; readonly value: Uint8Array }
    | { readonly case: 'open'; readonly value: unknown }
    | { readonly case: undefined; readonly value?: undefined };
};

export const pump = async (iterator: AsyncIterator<Typed>, opened: OpenConsole): Promise<void> => {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    const { content } = next.value;
    if (content.case === 'data' && !opened.readOnly) await opened.write(content.value);
  }
};

export async function* output(opened: OpenConsole): AsyncGenerator<AttachConsoleResponse> {
  try {
    const { id: sessionId, readOnly } = opened;
    yield create(AttachConsoleResponseSchema, {
      content: { case: 'opened', value: { sessionId, readOnly } },
    });
    for await (const part of opened.parts) {
      const content = contentOf(part);
      if (content !== undefined) yield create(AttachConsoleResponseSchema, { content });
      if (part.kind === 'closed') return;
    }
    const value = 'the connection to the agent ended';
    yield create(AttachConsoleResponseSchema, { content: { case: 'closed', value } });
  } finally {
    opened.close();
  }
}

const contentOf = (part: ChannelPart): AttachConsoleResponse['content'] | undefined => {
  switch (part.kind) {
    case 'data':
      return { case: 'data', value: part.bytes };
    case 'taken-over':
      return { case: 'takenOver', value: part.by };
    case 'closed':
      return { case: 'closed', value: part.why };
    case 'opened':
      return undefined;
    default:
      return part satisfies never;
  }
};

type Typing = { readonly sessionId: string; readonly by: string; readonly targetUid: string };

/** An open session that takes typing. Errors: not_found, failed_precondition CONSOLE_TAKEN. */
export const writable = (
  consoles: Pick<ConsoleHub, 'find'>,
  { sessionId, by, targetUid }: Typing,
): OpenConsole => {
  const opened = consoles.find(sessionId);
  // A session of another caller or machine is not there, so that ids cannot be tried out.
  if (opened === undefined || opened.by !== by || opened.targetUid !== targetUid) {
    throw notFound('NOT_FOUND', `The console session "${sessionId}" is not open`, {
      metadata: { name: sessionId, type: 'runm.console' },
    });
  }
  if (opened.readOnly) {
    throw failedPrecondition('CONSOLE_TAKEN', 'The console session only reads; open another one', {
      metadata: { session: sessionId },
    });
  }
  return opened;
};

export const wrongOrder = (description: string) =>
  invalidArgument('INVALID_FIELD', `content: ${description}`, {
    metadata: { field: 'content' },
    violations: [{ field: 'content', description }],
  });
