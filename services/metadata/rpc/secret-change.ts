/** What changes the values of a secret: at once, or staged and promoted when they work. */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type PromoteSecretRequest,
  PromoteSecretResponseSchema,
  type StageSecretRequest,
  StageSecretResponseSchema,
  type UpdateSecretRequest,
  UpdateSecretResponseSchema,
} from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import {
  demandSmall,
  isSameValues,
  otherStaged,
  type Secret,
  secretName,
  shownSecret,
} from '../domain/secret.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, missing, mutate } from './mutate.ts';
import { secretAt, secretMessage } from './secret-message.ts';

type States = { readonly before?: unknown; readonly after?: unknown };

export const auditSecret = (tx: Tx, action: string, secret: Secret, states: States): void =>
  tx.audit({
    action,
    objectKind: 'secret',
    objectUid: secret.uid,
    objectName: secretName(secret),
    projectUid: secret.projectUid,
    ...states,
  });

export const updateSecret = (
  deps: RpcDeps,
  request: UpdateSecretRequest,
  context: HandlerContext,
) => {
  const { data } = request;
  const response = UpdateSecretResponseSchema;
  demandSmall(data);
  return mutate(deps, context, { response, asksSecret: true }, async (tx) => {
    const { staged: _, ...before } = await lockSecret(deps, tx, { request, context });
    const generation = before.generation + 1;
    const at = { uid: before.uid, generation, place: 'present' } as const;
    const updateMs = deps.clock.now().getTime();
    const present = deps.secretSealer.seal(at, data);
    const saved: Secret = { ...before, generation, updateMs, present };
    const secret = await save(deps, tx, { action: 'secret.update', before, saved });
    return create(response, { secret });
  });
};

export const stageSecret = (
  deps: RpcDeps,
  request: StageSecretRequest,
  context: HandlerContext,
) => {
  const { secretSealer, clock } = deps;
  const { data } = request;
  const response = StageSecretResponseSchema;
  demandSmall(data);
  return mutate(deps, context, { response, asksSecret: true }, async (tx) => {
    const before = await lockSecret(deps, tx, { request, context });
    const at = { uid: before.uid, generation: before.generation, place: 'staged' } as const;
    const { staged } = before;
    if (staged !== undefined && !isSameValues(secretSealer.open(at, staged), data)) {
      throw otherStaged(before);
    }
    const fresh = { ...secretSealer.seal(at, data), sinceMs: clock.now().getTime() };
    const saved: Secret = { ...before, staged: staged ?? fresh };
    const secret = await save(deps, tx, { action: 'secret.stage', before, saved });
    return create(response, { secret });
  });
};

export const promoteSecret = (
  deps: RpcDeps,
  request: PromoteSecretRequest,
  context: HandlerContext,
) => {
  const { secretSealer, clock } = deps;
  const response = PromoteSecretResponseSchema;
  return mutate(deps, context, { response }, async (tx) => {
    const { staged, ...before } = await lockSecret(deps, tx, { request, context });
    const { uid, generation } = before;
    const saved: Secret =
      staged === undefined
        ? before
        : {
            ...before,
            generation: generation + 1,
            updateMs: clock.now().getTime(),
            present: secretSealer.seal(
              { uid, generation: generation + 1, place: 'present' },
              secretSealer.open({ uid, generation, place: 'staged' }, staged),
            ),
          };
    const secret = await save(deps, tx, { action: 'secret.promote', before, saved });
    return create(response, { secret });
  });
};

type Asked = {
  readonly request: { readonly name: string; readonly etag: string };
  readonly context: HandlerContext;
};

const lockSecret = async (deps: RpcDeps, tx: Tx, { request, context }: Asked): Promise<Secret> => {
  const secret = await deps.records.secrets.lock(tx, secretAt(request.name));
  if (secret === undefined || !accessOf(context).covers({ project: secret.project })) {
    throw missing(request.name);
  }
  checkLockedEtag(deps, request.etag, secret);
  return secret;
};

type Saving = { readonly action: string; readonly before: Secret; readonly saved: Secret };

const save = async (deps: RpcDeps, tx: Tx, { action, before, saved }: Saving) => {
  await deps.records.secrets.save(tx, saved);
  auditSecret(tx, action, saved, { before: shownSecret(before), after: shownSecret(saved) });
  return secretMessage(saved, etagFor(deps, saved));
};
