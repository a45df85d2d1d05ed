import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { IdentityService } from '../../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { identityOf } from '../../runtime/context.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { grantMessage, heldGrants } from './convert.ts';
import type { RpcDeps } from './deps.ts';

export const identityService = ({ cluster }: RpcDeps): Implementation =>
  implement(IdentityService, {
    whoAmI: (_, context) => {
      const { principal, uid, grants, expireMs } = identityOf(context);
      const everywhere = grants.filter(
        ({ partition, project }) => partition === undefined && project === undefined,
      );
      const permissions = new Set(everywhere.flatMap((grant) => [...grant.permissions]));
      return {
        principal,
        uid,
        grants: heldGrants(grants).map(grantMessage),
        permissions: [...permissions].toSorted(),
        cluster,
        ...(expireMs !== undefined && { expireTime: timestampFromMs(expireMs) }),
      };
    },
  });
