import { createClient } from '@connectrpc/connect';
import { type User, UserSchema } from '../../../gen/runmachine/identity/v1/user_pb.ts';
import { UserService } from '../../../gen/runmachine/identity/v1/user_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';
import { GRANT_OPTIONS, grantFrom, grantText } from './grant.ts';

const roles = (user: User): string => (user.status?.grants ?? []).map(grantText).join(', ');

const noun: Noun<typeof UserSchema> = {
  singular: 'user',
  schema: UserSchema,
  name: (user) => user.name,
  fullName: (_, typed) => atTop('users', typed),
  columns: [
    { title: 'NAME', value: (user) => lastSegment(user.name) },
    { title: 'DISPLAY NAME', value: (user) => user.spec?.displayName ?? '' },
    { title: 'ROLES', value: roles },
  ],
  people: (user) =>
    formatFields([
      ['name', user.name],
      ['uid', user.uid],
      ['display name', user.spec?.displayName ?? ''],
      ['roles', roles(user)],
      ['created', formatLocalTime(user.createTime)],
    ]),
};

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(UserService, context.transport());
  return (await client.getUser({ name }, callOptions(context))).user;
});

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(UserService, context.transport());
  const answer = await client.listUsers(page, callOptions(context));
  return { rows: answer.users, nextPageToken: answer.nextPageToken };
});

export const create: Command = {
  summary: 'create a user',
  positionals: [{ name: 'name', help: 'name of the new user' }],
  options: { 'display-name': { type: 'string', value: 'TEXT', help: 'name for people' } },
  run: async (context, args) => {
    const client = createClient(UserService, context.transport());
    const userId = newId(args.positional('name'));
    await client.createUser(
      {
        userId,
        user: { spec: { displayName: args.string('display-name') ?? '' } },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    context.output.remark(`created users/${userId}; it holds no role yet`);
    context.output.remark(`next: runm user grant ${userId} member --in-project PROJECT`);
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(UserService, context.transport());
  await client.deleteUser(request, callOptions(context));
});

const POSITIONALS = [
  { name: 'name', help: 'name of the user' },
  { name: 'role', help: 'role, for example member; see `runm role list`' },
];

export const grant: Command = {
  summary: 'give a user a role',
  positionals: POSITIONALS,
  options: GRANT_OPTIONS,
  run: async (context, args) => {
    const request = {
      name: noun.fullName(context, args.positional('name')),
      grant: grantFrom(args, args.positional('role')),
    };
    const client = createClient(UserService, context.transport());
    return told(context, (await client.grantRole(request, callOptions(context))).user);
  },
};

export const revoke: Command = {
  summary: 'take a role away from a user',
  positionals: POSITIONALS,
  options: GRANT_OPTIONS,
  run: async (context, args) => {
    const request = {
      name: noun.fullName(context, args.positional('name')),
      grant: grantFrom(args, args.positional('role')),
    };
    const client = createClient(UserService, context.transport());
    return told(context, (await client.revokeRole(request, callOptions(context))).user);
  },
};

const told = (context: Context, user: User | undefined): undefined => {
  if (user) context.output.remark(`${user.name} holds: ${roles(user) || 'no role'}`);
  return undefined;
};
