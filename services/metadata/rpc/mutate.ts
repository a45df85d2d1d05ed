import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { actorOf } from '../../runtime/audit-actor.ts';
import { type HasValues, requestKeyOf } from '../../runtime/context.ts';
import { type DomainError, notFound } from '../../runtime/errors.ts';
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from '../../runtime/message-page.ts';
import { checkEtag, etagOf, openPage, type Page } from '../../store/sql/page.ts';
import { previewTransaction } from '../../store/sql/preview.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { RecordHead } from '../domain/record.ts';
import type { RpcDeps } from './deps.ts';

type Mutation<D extends DescMessage> = {
  readonly response: D;
  readonly validateOnly?: boolean;
  /** The answer carries a secret. */
  readonly isSecret?: boolean;
  /** The request carries a secret. */
  readonly asksSecret?: boolean;
};

/** Runs the work once per request id, or for validate_only without writing. */
export const mutate = <D extends DescMessage>(
  { store, sealer }: RpcDeps,
  context: HasValues,
  { response, validateOnly, isSecret, asksSecret }: Mutation<D>,
  work: (tx: Tx) => Promise<MessageShape<D>>,
): Promise<MessageShape<D>> => {
  const actor = actorOf(context);
  if (validateOnly === true) return previewTransaction(store, actor, work);
  const plain = requestKeyOf(context, response);
  const key = asksSecret === true ? sealer.keying<D>(plain) : plain;
  return store.transaction(isSecret === true ? sealer.sealing<D>(key) : key, actor, work);
};

/** The last segment of a name; the contract has checked the form. */
export const idIn = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

export const missing = (name: string): DomainError =>
  notFound('NOT_FOUND', `"${name}" does not exist or is not visible to you`, {
    metadata: { name },
  });

export const etagFor = ({ store }: RpcDeps, record: RecordHead): string =>
  etagOf(record, store.incarnation());

/**
 * A locked row has grown by one, so the etag that its editor saw is that of the version before.
 * Errors: aborted ETAG_MISMATCH.
 */
export const checkLockedEtag = (deps: RpcDeps, given: string, locked: RecordHead): void =>
  checkEtag(given, etagFor(deps, { ...locked, version: locked.version - 1 }));

type Paging = { readonly pageSize: number; readonly pageToken: string };

export const pageOf = (
  { store }: RpcDeps,
  { pageSize, pageToken }: Paging,
  otherArguments: unknown,
): Page =>
  openPage({
    pageSize,
    pageToken,
    otherArguments,
    incarnation: store.incarnation(),
    sizeDefault: PAGE_SIZE_DEFAULT,
    sizeMax: PAGE_SIZE_MAX,
  });

/** The ordering column of everything here. */
export const nameKey = ({ id }: RecordHead): readonly string[] => [id.toLowerCase()];
