import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { requestKeyOf } from '../../runtime/context.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { actorOf } from './rpc-deps.ts';

/** Leaves the transaction of a request that was not answered before. */
class NotAnswered extends Error {}

/** What the request was answered before; undefined: it is new. */
export const answered = async <D extends DescMessage>(
  store: SqlStore,
  context: HandlerContext,
  response: D,
): Promise<MessageShape<D> | undefined> => {
  try {
    return await store.transaction(requestKeyOf(context, response), actorOf(context), () => {
      throw new NotAnswered();
    });
  } catch (error) {
    if (error instanceof NotAnswered) return undefined;
    throw error;
  }
};
