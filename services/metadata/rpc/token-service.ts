import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { TokenSchema } from '../../../gen/runmachine/identity/v1/token_pb.ts';
import {
  CreateTokenResponseSchema,
  DeleteTokenResponseSchema,
  TokenService,
} from '../../../gen/runmachine/identity/v1/token_service_pb.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { grantableRole } from '../domain/grant.ts';
import { newHead } from '../domain/record.ts';
import { secretOf, type Token, tokenName } from '../domain/token.ts';
import { ownerScope, userForCredential } from './acting-user.ts';
import { grantOf, tokenMessage } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate, nameKey, pageOf } from './mutate.ts';

export const TOKEN_LIFETIME_MS = 30 * 24 * 3_600_000;
const SECRET_BYTES = 32;

export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

export const tokenService = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random } = deps;
  const toMessage = (token: Token) => tokenMessage(token, etagFor(deps, token));
  return implement(TokenService, {
    getToken: ({ name }, context) =>
      store.read(async (reader) => {
        const owner = await ownerScope(deps, reader, context);
        const token = await records.tokens.find(reader, idIn(name));
        if (token === undefined || !isWithin(token, owner)) throw missing(name);
        return { token: toMessage(token) };
      }),
    listTokens: (request, context) =>
      store.read(async (reader) => {
        const owner = await ownerScope(deps, reader, context);
        const page = pageOf(deps, request, { owner });
        const rows =
          owner === undefined ? [] : await records.tokens.list(reader, { userUid: owner }, page);
        const { messages, nextPageToken } = pageOfMessages(page, rows, {
          schema: TokenSchema,
          toMessage,
          keyOf: nameKey,
        });
        return { tokens: messages, nextPageToken };
      }),
    createToken: ({ tokenId, token, validateOnly }, context) => {
      const response = CreateTokenResponseSchema;
      return mutate(deps, context, { response, validateOnly, isSecret: true }, async (tx) => {
        const spec = token?.spec;
        const grants = (spec?.grants ?? []).map(grantOf);
        for (const grant of grants) grantableRole(grant);
        const name = spec?.user ?? '';
        const user = await userForCredential(deps, tx, { user: name, limits: grants, context });
        const secret = secretOf(random.bytes(SECRET_BYTES));
        const nowMs = clock.now().getTime();
        const lifetimeMs =
          spec?.lifetime === undefined ? TOKEN_LIFETIME_MS : durationMs(spec.lifetime);
        const made: Token = {
          ...newHead({ uid: random.uid(), id: tokenId, nowMs }),
          userUid: user.uid,
          user: user.id,
          hash: hashOf(secret),
          lifetimeMs,
          expireMs: nowMs + lifetimeMs,
          lastUseMs: 0,
          grants,
        };
        await records.tokens.insert(tx, made);
        audit(tx, 'token.create', made);
        // A preview makes nothing, so there is no secret to tell.
        const told = validateOnly ? '' : secret;
        return create(response, { token: toMessage(made), secret: told });
      });
    },
    deleteToken: ({ name, etag, allowMissing }, context) =>
      mutate(deps, context, { response: DeleteTokenResponseSchema }, async (tx) => {
        const owner = await ownerScope(deps, tx, context);
        const seen = await records.tokens.find(tx, idIn(name));
        const isThere = seen !== undefined && isWithin(seen, owner);
        const token = isThere ? await records.tokens.lock(tx, seen.uid) : undefined;
        if (token === undefined) {
          if (allowMissing) return create(DeleteTokenResponseSchema);
          throw missing(name);
        }
        checkLockedEtag(deps, etag, token);
        await records.tokens.remove(tx, token);
        audit(tx, 'token.delete', token);
        return create(DeleteTokenResponseSchema);
      }),
  });
};

const isWithin = ({ userUid }: Token, owner: string | undefined): boolean =>
  owner === '' || owner === userUid;

const audit = (tx: Tx, action: string, token: Token): void => {
  const { hash: _, ...shown } = token;
  tx.audit({
    action,
    objectKind: 'token',
    objectUid: token.uid,
    objectName: tokenName(token),
    [action === 'token.create' ? 'after' : 'before']: shown,
  });
};
