import { create } from '@bufbuild/protobuf';
import {
  BatchDeleteProvidersResponseSchema,
  DeleteProviderResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import { demandFree, holds } from '../domain/reservation.ts';
import { blockedBy } from './blocked.ts';
import { type Attempt, decidedFirst } from './decided-first.ts';
import { absent, mutate, type RpcDeps } from './deps.ts';
import type { Asking, Handle, Out, Turn } from './provider-handlers.ts';
import { auditOf, lockProvider, lockProviders } from './provider-locks.ts';
import { AskFirst } from './question.ts';

export type ProviderDeletions = {
  readonly deleteProvider: Handle<'deleteProvider'>;
  readonly batchDeleteProviders: Handle<'batchDeleteProviders'>;
};

export const providerDeletions = (deps: RpcDeps): ProviderDeletions => ({
  deleteProvider: (request, context) => {
    const response = DeleteProviderResponseSchema;
    const attempt: Attempt<Out<'deleteProvider'>> = (turn) =>
      mutate(deps, context, { response }, async (tx) => {
        await removeOne(deps, tx, { request, context, turn });
        return create(response);
      });
    return decidedFirst(deps, context, attempt);
  },
  batchDeleteProviders: (request, context) => {
    const response = BatchDeleteProvidersResponseSchema;
    const attempt: Attempt<Out<'batchDeleteProviders'>> = (turn) =>
      mutate(deps, context, { response }, async (tx) => {
        const { parent, providers: idsOrUids } = request;
        const doomed = await lockProviders(deps, tx, { parent, idsOrUids, context });
        await removeAll(deps, tx, { doomed, turn });
        return create(response);
      });
    return decidedFirst(deps, context, attempt);
  },
});

const removeOne = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, turn }: Asking<'deleteProvider'> & Turn,
): Promise<void> => {
  const current = await lockProvider(deps, tx, { name: request.name, context });
  if (!current) {
    if (request.allowMissing) return;
    throw absent(request.name);
  }
  checkEtag(request.etag, etagOf(current, deps.store.incarnation()));
  await removeAll(deps, tx, { doomed: [current], turn });
};

type Removal = Turn & { readonly doomed: readonly ProviderRecord[] };

/** All or none. Throws AskFirst. */
const removeAll = async (deps: RpcDeps, tx: Tx, { doomed, turn }: Removal): Promise<void> => {
  const { records, clock } = deps;
  await demandUnneeded(deps, tx, doomed);
  for (const record of doomed) demandFree(record, turn.holder, clock.now().getTime());
  if (!doomed.every((record) => holds(record, turn.grant))) {
    const questions = doomed.map((record) => ({ record, offers: undefined }));
    throw new AskFirst(questions, 'delete');
  }
  await records.providers.removeAll(tx, doomed);
  for (const record of doomed) {
    tx.audit({ action: 'provider.delete', ...auditOf(record), before: JSON.parse(record.doc) });
  }
};

const NAMED_MAX = 10;

/** Parts that go with it do not keep it. */
const demandUnneeded = async (
  { records: { providers, groups } }: RpcDeps,
  tx: Tx,
  doomed: readonly ProviderRecord[],
): Promise<void> => {
  const uids = doomed.map(({ uid }) => uid);
  const parts = await providers.partsLeft(tx, uids);
  const names = doomed.slice(0, NAMED_MAX).map(providerName);
  const blocked = blockedBy(names.join(', ') + (doomed.length > NAMED_MAX ? ', …' : ''), [
    { what: 'providers are parts of it', key: 'children', ...parts },
    { what: 'groups share it', key: 'groups', names: await groups.sharing(tx, doomed) },
  ]);
  if (blocked) throw blocked;
};
