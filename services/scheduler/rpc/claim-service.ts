import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { readBatchRequest } from './batch-request.ts';
import { claimChanges } from './claim-changes.ts';
import { claimCreations } from './claim-creation.ts';
import { claimReads } from './claim-reads.ts';
import type { RpcDeps } from './deps.ts';

export const claimRpc = (deps: RpcDeps): Implementation =>
  implement(
    ClaimService,
    { ...claimReads(deps), ...claimCreations(deps), ...claimChanges(deps) },
    { batchCreateClaims: readBatchRequest },
  );
