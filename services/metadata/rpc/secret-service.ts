import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { SecretSchema } from '../../../gen/runmachine/identity/v1/secret_pb.ts';
import {
  type CreateSecretRequest,
  CreateSecretResponseSchema,
  DeleteSecretResponseSchema,
  type ListSecretsRequest,
  type RevealSecretRequest,
  RevealSecretResponseSchema,
  SecretService,
} from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { actorOf } from '../../runtime/audit-actor.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { isWildcard } from '../../runtime/names.ts';
import { demandService } from '../../runtime/only-services.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { newHead } from '../domain/record.ts';
import { demandSmall, type Secret, shownSecret } from '../domain/secret.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate, pageOf } from './mutate.ts';
import { auditSecret, promoteSecret, stageSecret, updateSecret } from './secret-change.ts';
import { secretAt, secretMessage } from './secret-message.ts';

export const secretService = (deps: RpcDeps): Implementation => {
  const { store, records } = deps;
  return implement(SecretService, {
    getSecret: async ({ name }, context) => {
      const at = secretAt(name);
      const secret = await store.read((reader) => records.secrets.find(reader, at));
      if (secret === undefined || !isVisible(context, secret)) throw missing(name);
      return { secret: secretMessage(secret, etagFor(deps, secret)) };
    },
    listSecrets: (request, context) => listSecrets(deps, request, context),
    createSecret: (request, context) => createSecret(deps, request, context),
    updateSecret: (request, context) => updateSecret(deps, request, context),
    deleteSecret: ({ name, etag, allowMissing }, context) =>
      mutate(deps, context, { response: DeleteSecretResponseSchema }, async (tx) => {
        const secret = await records.secrets.lock(tx, secretAt(name));
        if (secret === undefined || !isVisible(context, secret)) {
          if (allowMissing) return create(DeleteSecretResponseSchema);
          throw missing(name);
        }
        checkLockedEtag(deps, etag, secret);
        await records.secrets.remove(tx, secret);
        auditSecret(tx, 'secret.delete', secret, { before: shownSecret(secret) });
        return create(DeleteSecretResponseSchema);
      }),
    stageSecret: (request, context) => stageSecret(deps, request, context),
    promoteSecret: (request, context) => promoteSecret(deps, request, context),
    revealSecret: (request, context) => revealSecret(deps, request, context),
  });
};

const isVisible = (context: HasValues, { project }: Secret): boolean =>
  accessOf(context).covers({ project });

const listSecrets = async (deps: RpcDeps, request: ListSecretsRequest, context: HasValues) => {
  const { parent } = request;
  const access = accessOf(context);
  const project = idIn(parent);
  const all = access.everything ? undefined : [...access.projects];
  const only = isWildcard(project)
    ? all
    : access.covers({ project })
      ? [project]
      : /* seen in part only */ [];
  const page = pageOf(deps, request, { parent });
  const rows = await deps.store.read((reader) => deps.records.secrets.list(reader, { only }, page));
  const { messages, nextPageToken } = pageOfMessages(page, rows, {
    schema: SecretSchema,
    toMessage: (secret: Secret) => secretMessage(secret, etagFor(deps, secret)),
    keyOf: ({ project: of, id }) => [of.toLowerCase(), id.toLowerCase()],
  });
  return { secrets: messages, nextPageToken };
};

const createSecret = (deps: RpcDeps, request: CreateSecretRequest, context: HandlerContext) => {
  const { records, clock, random, secretSealer } = deps;
  const { parent, secretId, description, data } = request;
  const response = CreateSecretResponseSchema;
  demandSmall(data);
  return mutate(deps, context, { response, asksSecret: true }, async (tx) => {
    const project = await records.projects.hold(tx, idIn(parent));
    if (project === undefined || !accessOf(context).covers({ project: project.id })) {
      throw missing(parent);
    }
    const head = newHead({ uid: random.uid(), id: secretId, nowMs: clock.now().getTime() });
    const made: Secret = {
      ...head,
      project: project.id,
      projectUid: project.uid,
      generation: 1,
      description,
      present: secretSealer.seal({ uid: head.uid, generation: 1, place: 'present' }, data),
    };
    await records.secrets.insert(tx, made);
    auditSecret(tx, 'secret.create', made, { after: shownSecret(made) });
    return create(response, { secret: secretMessage(made, etagFor(deps, made)) });
  });
};

const revealSecret = (deps: RpcDeps, request: RevealSecretRequest, context: HandlerContext) => {
  const { store, records, secretSealer } = deps;
  demandService(context, 'The values of a secret are read');
  return store.transaction(undefined, actorOf(context), async (tx) => {
    const secret = await records.secrets.find(tx, secretAt(request.name));
    if (secret === undefined || !isVisible(context, secret)) throw missing(request.name);
    const { uid, generation, present, staged } = secret;
    auditSecret(tx, 'secret.reveal', secret, { after: { generation, purpose: request.purpose } });
    return create(RevealSecretResponseSchema, {
      data: { ...secretSealer.open({ uid, generation, place: 'present' }, present) },
      stagedData: {
        ...(staged && secretSealer.open({ uid, generation, place: 'staged' }, staged)),
      },
      generation: BigInt(generation),
    });
  });
};
