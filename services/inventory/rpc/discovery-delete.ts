/** Forgets what a scan found. */
import { create } from '@bufbuild/protobuf';
import {
  type DeleteDiscoveryRequest,
  DeleteDiscoveryResponseSchema,
} from '../../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import type { HasValues } from '../../runtime/context.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { mutate, type RpcDeps } from './deps.ts';
import { keptOf } from './discovery-message.ts';
import { auditDiscovery, lockDiscovery } from './discovery-record.ts';

export const deleteDiscovery = (
  deps: RpcDeps,
  request: DeleteDiscoveryRequest,
  context: HasValues,
) => {
  const response = DeleteDiscoveryResponseSchema;
  return mutate(deps, context, { response }, async (tx) => {
    const found = await lockDiscovery(deps, tx, { ...request, context }).catch((error) => {
      if (request.allowMissing && isDomainError(error, 'not_found')) return undefined;
      throw error;
    });
    if (found !== undefined) {
      await deps.records.discoveries.remove(tx, found);
      const { address } = keptOf(found).found;
      auditDiscovery(tx, 'discovery.delete', found, { address, state: found.state });
    }
    return create(response);
  });
};
