/** What the handlers of this service share. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import type { Clock } from '../../runtime/clock.ts';
import { callOf, type HasValues } from '../../runtime/context.ts';
import { notFound } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import { encodeOnBehalfOf } from '../../runtime/rpc/on-behalf-of.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { closePage, openPage, type Page, type PageKey } from '../../store/sql/page.ts';
import type { Actor } from '../../store/sql/transaction.ts';
import type { Caller } from '../domain/operation.ts';
import type { MachineWriter, Records } from '../ports.ts';

export type RpcDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Looks at an operation soon. */
  readonly wake: (operationUid: string) => void;
};

/** Who is acting, for the audit row. */
export const actorOf = (context: HasValues): Actor => {
  const { actor, identity, requestId } = callOf(context);
  return {
    principal: actor.principal,
    requestId,
    ...(identity !== actor && { onBehalfOf: identity.principal }),
  };
};

/**
 * Who asked, as the journal keeps it: inner calls are made in this name long after the call has
 * ended.
 */
export const callerOf = (context: HasValues): Caller => {
  const { identity } = callOf(context);
  const acts = identity.kind === 'user' || identity.kind === 'app' || identity.kind === 'agent';
  return { principal: identity.principal, onBehalfOf: acts ? encodeOnBehalfOf(identity) : '' };
};

export const missing = (name: string, type: string) =>
  notFound('NOT_FOUND', `"${name}" does not exist or is not visible to you`, {
    metadata: { name, type },
  });

type Listed = { readonly pageSize: number; readonly pageToken: string };

const PAGE_SIZE = 100;
const PAGE_SIZE_MAX = 1000;
const PAGE_BYTES_MAX = 1024 ** 2;

export const pageFor = (deps: RpcDeps, request: Listed, otherArguments: unknown): Page =>
  openPage({
    pageSize: request.pageSize,
    pageToken: request.pageToken,
    otherArguments,
    incarnation: deps.store.incarnation(),
    sizeDefault: PAGE_SIZE,
    sizeMax: PAGE_SIZE_MAX,
  });

type Cut<Row, D extends DescMessage> = {
  readonly page: Page;
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => PageKey;
  readonly schema: D;
  readonly message: (row: Row) => MessageShape<D>;
};

/** A page ends at its size or at 1 MiB, whichever comes first; it holds at least one row. */
export const cutPage = <Row, D extends DescMessage>({
  page,
  rows,
  keyOf,
  schema,
  message,
}: Cut<Row, D>): { readonly messages: MessageShape<D>[]; readonly nextPageToken: string } => {
  const whole = closePage(page, rows, keyOf);
  const messages: MessageShape<D>[] = [];
  let bytes = 0;
  for (const [index, row] of whole.rows.entries()) {
    const next = message(row);
    bytes += toBinary(schema, next).length;
    const last = whole.rows[index - 1];
    if (bytes > PAGE_BYTES_MAX && last !== undefined) {
      return { messages, nextPageToken: page.tokenAt(keyOf(last)) };
    }
    messages.push(next);
  }
  return { messages, nextPageToken: whole.nextPageToken };
};

const PRESENT_ROWS = 200;

/** The present set of a watch in pages. */
export async function* presentPages<Row>(
  list: (page: Page) => Promise<readonly Row[]>,
  keyOf: (row: Row) => PageKey,
): AsyncGenerator<readonly Row[]> {
  let after: PageKey | undefined;
  for (;;) {
    const rows = await list({
      size: PRESENT_ROWS,
      limit: PRESENT_ROWS,
      tokenAt: () => '',
      ...(after !== undefined && { after }),
    });
    yield rows;
    const last = rows.at(-1);
    if (rows.length < PRESENT_ROWS || last === undefined) return;
    after = keyOf(last);
  }
}
