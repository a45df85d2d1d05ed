import { RoleService } from '../../../gen/runmachine/identity/v1/role_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { closePage } from '../../store/sql/page.ts';
import { findRole, ROLES } from '../domain/role.ts';
import { roleMessage } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { idIn, missing, pageOf } from './mutate.ts';

export const roleService = (deps: RpcDeps): Implementation =>
  implement(RoleService, {
    getRole: ({ name }, context) => {
      // Roles are everybody's who may read any.
      accessOf(context);
      const role = findRole(idIn(name));
      if (role === undefined) throw missing(name);
      return { role: roleMessage(role) };
    },
    listRoles: (request, context) => {
      accessOf(context);
      const page = pageOf(deps, request, {});
      const [after = ''] = page.after ?? [];
      const rest = ROLES.filter(({ id }) => id > String(after)).slice(0, page.limit);
      const { rows, nextPageToken } = closePage(page, rest, ({ id }) => [id]);
      return { roles: rows.map(roleMessage), nextPageToken };
    },
  });
