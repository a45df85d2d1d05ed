/** What changes a claim that is there. */
import {
  Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BeginReleaseRequest,
  ClaimService,
  type FinishReleaseRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import { keyOf } from '../domain/claim.ts';
import type { Command } from '../domain/command.ts';
import { assertService, atLeader, named, shown } from './claim-calls.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';

type Changes = Pick<
  ServiceImpl<typeof ClaimService>,
  'extendClaim' | 'shortenClaim' | 'transferClaim' | 'beginRelease' | 'finishRelease'
>;

export const claimChanges = (deps: RpcDeps): Changes => ({
  extendClaim: notServed,
  shortenClaim: notServed,
  transferClaim: notServed,
  beginRelease: async (request, context) => ({
    claim: await beginRelease(deps, request, context),
  }),
  finishRelease: async (request, context) => ({
    claim: await finishRelease(deps, request, context),
  }),
});

const notServed = (): never => {
  throw new ConnectError('This release does not serve it yet', Code.Unimplemented);
};

const beginRelease = async (
  deps: RpcDeps,
  request: BeginReleaseRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  const { view, project, claim } = await named(deps, request.name, context);
  const command: Command = {
    verb: 'begin-release',
    origin: originOf(context),
    ref: { project, claim },
    precondition: (found) => checkEtag(request.etag, etagOf(found, deps.incarnation())),
  };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => shown(deps, view, await leader.submit(command, limit)),
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).beginRelease(request, options)).claim,
  });
};

const finishRelease = async (
  deps: RpcDeps,
  request: FinishReleaseRequest,
  context: HandlerContext,
): Promise<Claim | undefined> => {
  assertService(context);
  const { view, project, claim } = await named(deps, request.name, context);
  const command: Command = {
    verb: 'finish-release',
    origin: originOf(context),
    ref: { project, claim },
    providerUid: keyOf(request.providerUid),
  };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => shown(deps, view, await leader.submit(command, limit)),
    remote: async (transport, options) =>
      (await createClient(ClaimService, transport).finishRelease(request, options)).claim,
  });
};
