import { create } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import {
  type AgentService,
  type ChannelRequest,
  ChannelRequestSchema,
  type OpenChannel,
} from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Logger } from '../runtime/log.ts';
import type { GuestConsole } from './ports.ts';
import type { ConsoleSource } from './role.ts';

type Deps = {
  readonly client: Client<typeof AgentService>;
  readonly source: ConsoleSource;
  readonly log: Logger;
};

const PART_BYTES = 64 * 1024;
const CHANNEL_LIMIT_MS = 24 * 3600 * 1000;

const request = (content: NonNullable<ChannelRequest['content']>): ChannelRequest =>
  create(ChannelRequestSchema, { content });

/** Connects one console with the control plane; ends when either side does. */
export const serveChannel = async (
  deps: Deps,
  order: OpenChannel,
  signal: AbortSignal,
): Promise<void> => {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  let opened: GuestConsole | undefined;
  const up = async function* (): AsyncGenerator<ChannelRequest> {
    yield request({ case: 'channelId', value: order.channelId });
    try {
      if (order.logOnly) {
        yield* logParts(deps, order);
        return;
      }
      const { targetUid: uid, readOnly, replayBytes, reason } = order;
      const by = reason === '' ? order.by : `${order.by}: ${reason}`;
      opened = await deps.source.openConsole({ uid, readOnly, replayBytes, by }, both);
      const { truncated } = opened;
      yield request({
        case: 'opened',
        value: {
          $typeName: 'runmachine.agent.v1.ChannelOpened',
          readOnly: opened.readOnly,
          truncated,
        },
      });
      yield* consoleParts(opened);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      yield request({ case: 'closed', value: why });
    }
  };
  try {
    for await (const { content } of deps.client.channel(up(), {
      signal: both,
      timeoutMs: CHANNEL_LIMIT_MS,
    })) {
      if (content.case === 'data') opened?.write(content.value);
      else if (content.case === 'close') break;
    }
  } catch (error) {
    if (!signal.aborted) deps.log.debug({ err: error }, 'a console channel ended');
  } finally {
    opened?.close();
    over.abort();
  }
};

async function* logParts(deps: Deps, order: OpenChannel): AsyncGenerator<ChannelRequest> {
  const { bytes, truncated } = await deps.source.readLog(order.targetUid, order.replayBytes);
  yield request({
    case: 'opened',
    value: { $typeName: 'runmachine.agent.v1.ChannelOpened', readOnly: true, truncated },
  });
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    yield request({ case: 'data', value: bytes.subarray(at, at + PART_BYTES) });
  }
  yield request({ case: 'closed', value: '' });
}

async function* consoleParts(opened: GuestConsole): AsyncGenerator<ChannelRequest> {
  for await (const output of opened.output) {
    if (output.kind === 'data') yield request({ case: 'data', value: output.bytes });
    else if (output.kind === 'taken_over') yield request({ case: 'takenOver', value: output.by });
    else {
      yield request({ case: 'closed', value: output.why });
      return;
    }
  }
  yield request({ case: 'closed', value: 'the console ended' });
}
