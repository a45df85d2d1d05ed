import { create } from '@bufbuild/protobuf';
import { UserSchema } from '../../../gen/runmachine/identity/v1/user_pb.ts';
import {
  CreateUserResponseSchema,
  DeleteUserResponseSchema,
  GrantRoleResponseSchema,
  RevokeRoleResponseSchema,
  UserService,
} from '../../../gen/runmachine/identity/v1/user_service_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type Grant, grantableRole, isSameGrant } from '../domain/grant.ts';
import { newHead } from '../domain/record.ts';
import { demandAnotherAdmin, isSystemAdmin, type User, userName } from '../domain/user.ts';
import { grantOf, userMessage } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate, nameKey, pageOf } from './mutate.ts';

/** An on-behalf-of header carries all grants of its user and is bounded. */
const GRANTS_MAX = 200;

export const userService = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random } = deps;
  const toMessage = (user: User) => userMessage(user, etagFor(deps, user));
  const there = async (name: string, asked: Promise<User | undefined>): Promise<User> => {
    const user = await asked;
    if (user === undefined) throw missing(name);
    return user;
  };
  const find = (tx: Tx, name: string) => there(name, records.users.find(tx, idIn(name)));
  const lock = (tx: Tx, name: string) => there(name, records.users.lock(tx, idIn(name)));
  const save = async (tx: Tx, user: User, grants: readonly Grant[], action: string) => {
    const saved = { ...user, grants, updateMs: clock.now().getTime() };
    await records.users.saveGrants(tx, saved);
    audit(tx, action, { user, before: user.grants, after: grants });
    return saved;
  };
  return implement(UserService, {
    getUser: async ({ name }) => {
      const user = await store.read((reader) => records.users.find(reader, idIn(name)));
      if (user === undefined) throw missing(name);
      return { user: toMessage(user) };
    },
    listUsers: async (request) => {
      const page = pageOf(deps, request, {});
      const rows = await store.read((reader) => records.users.list(reader, {}, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: UserSchema,
        toMessage,
        keyOf: nameKey,
      });
      return { users: messages, nextPageToken };
    },
    createUser: ({ userId, user, validateOnly }, context) =>
      mutate(deps, context, { response: CreateUserResponseSchema, validateOnly }, async (tx) => {
        const made: User = {
          ...newHead({ uid: random.uid(), id: userId, nowMs: clock.now().getTime() }),
          displayName: user?.spec?.displayName ?? '',
          grants: [],
        };
        await records.users.insert(tx, made);
        audit(tx, 'user.create', { user: made, after: made });
        return create(CreateUserResponseSchema, { user: toMessage(made) });
      }),
    deleteUser: ({ name, etag, allowMissing }, context) =>
      mutate(deps, context, { response: DeleteUserResponseSchema }, async (tx) => {
        const user = await records.users.lock(tx, idIn(name));
        if (user === undefined) {
          if (allowMissing) return create(DeleteUserResponseSchema);
          throw missing(name);
        }
        checkLockedEtag(deps, etag, user);
        if (isSystemAdmin(user.grants)) {
          demandAnotherAdmin(user, await records.users.countOtherAdmins(tx, user.uid));
        }
        await records.tokens.removeOfUser(tx, user.uid);
        await records.certificates.removeOfUser(tx, user.uid);
        await records.users.remove(tx, user);
        audit(tx, 'user.delete', { user, before: user });
        return create(DeleteUserResponseSchema);
      }),
    grantRole: ({ name, grant }, context) =>
      mutate(deps, context, { response: GrantRoleResponseSchema }, async (tx) => {
        const asked = grantOf(demanded(grant));
        const given = { ...asked, role: grantableRole(asked).id };
        const answer = (now: User) => create(GrantRoleResponseSchema, { user: toMessage(now) });
        const seen = await find(tx, name);
        if (seen.grants.some((held) => isSameGrant(held, given))) return answer(seen);
        const user = await lock(tx, name);
        await demandProject(deps, tx, given);
        if (user.grants.length >= GRANTS_MAX) throw tooMany(user);
        return answer(await save(tx, user, withGrant(user, given), 'user.grant'));
      }),
    revokeRole: ({ name, grant }, context) =>
      mutate(deps, context, { response: RevokeRoleResponseSchema }, async (tx) => {
        const taken = grantOf(demanded(grant));
        const answer = (now: User) => create(RevokeRoleResponseSchema, { user: toMessage(now) });
        const seen = await find(tx, name);
        if (!seen.grants.some((held) => isSameGrant(held, taken))) return answer(seen);
        const user = await lock(tx, name);
        const rest = user.grants.filter((held) => !isSameGrant(held, taken));
        if (isSystemAdmin(user.grants) && !isSystemAdmin(rest)) {
          demandAnotherAdmin(user, await records.users.countOtherAdmins(tx, user.uid));
        }
        return answer(await save(tx, user, rest, 'user.revoke'));
      }),
  });
};

const withGrant = (user: User, given: Grant): readonly Grant[] => [
  ...user.grants.filter((held) => !isSameGrant(held, given)),
  given,
];

const demanded = <T>(grant: T | undefined): T => {
  if (grant !== undefined) return grant;
  throw invalidArgument('INVALID_FIELD', 'grant must be set', { metadata: { field: 'grant' } });
};

/** A grant in a project that is not there would come alive when somebody makes one of that name. */
const demandProject = async ({ records }: RpcDeps, tx: Tx, { project }: Grant): Promise<void> => {
  if (project === '' || (await records.projects.find(tx, project)) !== undefined) return;
  throw invalidArgument('INVALID_FIELD', `grant.project "projects/${project}" does not exist`, {
    metadata: { field: 'grant.project', project },
    violations: [{ field: 'grant.project', description: 'does not exist' }],
  });
};

const tooMany = (user: User) =>
  invalidArgument('INVALID_FIELD', `${userName(user)} holds ${GRANTS_MAX} grants already`, {
    metadata: { field: 'grant', user: userName(user) },
  });

type Audited = { readonly user: User; readonly before?: unknown; readonly after?: unknown };

const audit = (tx: Tx, action: string, { user, ...states }: Audited): void =>
  tx.audit({
    action,
    objectKind: 'user',
    objectUid: user.uid,
    objectName: userName(user),
    ...states,
  });
