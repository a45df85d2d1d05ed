import { createClient } from '@connectrpc/connect';
import { RoleSchema } from '../../../gen/runmachine/identity/v1/role_pb.ts';
import { RoleService } from '../../../gen/runmachine/identity/v1/role_service_pb.ts';
import { callOptions } from '../call-options.ts';
import { listCommand, type Noun } from '../crud.ts';
import { atTop, lastSegment } from '../resource-names.ts';

const noun: Noun<typeof RoleSchema> = {
  singular: 'role',
  schema: RoleSchema,
  name: (role) => role.name,
  fullName: (_, typed) => atTop('roles', typed),
  columns: [
    { title: 'ROLE', value: (role) => lastSegment(role.name) },
    { title: 'FOR', value: (role) => role.description },
    { title: 'PERMISSIONS', value: (role) => role.permissions.join(' ') },
  ],
  people: (role) => lastSegment(role.name),
};

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(RoleService, context.transport());
  const answer = await client.listRoles(page, callOptions(context));
  return { rows: answer.roles, nextPageToken: answer.nextPageToken };
});
