/** What changes a claim that is there. */
import { createClient, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  type BeginReleaseRequest,
  type BeginReleaseResponse,
  BeginReleaseResponseSchema,
  ClaimService,
  type ExtendClaimRequest,
  type ExtendClaimResponse,
  ExtendClaimResponseSchema,
  type FinishReleaseRequest,
  type FinishReleaseResponse,
  FinishReleaseResponseSchema,
  type ShortenClaimRequest,
  type ShortenClaimResponse,
  ShortenClaimResponseSchema,
  type TransferClaimRequest,
  type TransferClaimResponse,
  TransferClaimResponseSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import { type ClaimRecord, keyOf } from '../domain/claim.ts';
import type { Command } from '../domain/command.ts';
import { assertService, atLeader, claimAnswer, named } from './claim-calls.ts';
import { consumerOf, invalidField, momentOf } from './claim-request.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';

type Changes = Pick<
  ServiceImpl<typeof ClaimService>,
  'extendClaim' | 'shortenClaim' | 'transferClaim' | 'beginRelease' | 'finishRelease'
>;

export const claimChanges = (deps: RpcDeps): Changes => ({
  extendClaim: (request, context) => extendClaim(deps, request, context),
  shortenClaim: (request, context) => shortenClaim(deps, request, context),
  transferClaim: (request, context) => transferClaim(deps, request, context),
  beginRelease: (request, context) => beginRelease(deps, request, context),
  finishRelease: (request, context) => finishRelease(deps, request, context),
});

/** What a change of the claim of that name has in common with others. */
const changeOf = async (
  deps: RpcDeps,
  { name, etag }: { readonly name: string; readonly etag: string },
  context: HandlerContext,
) => {
  const { view, project, claim } = await named(deps, name, context);
  const change = {
    origin: originOf(context),
    ref: { project, claim },
    precondition: (found: ClaimRecord) => checkEtag(etag, etagOf(found, deps.incarnation())),
  };
  return { view, change };
};

const extendClaim = async (
  deps: RpcDeps,
  request: ExtendClaimRequest,
  context: HandlerContext,
): Promise<ExtendClaimResponse> => {
  const { releaseTime } = request;
  const releaseMs = releaseTime && momentOf(releaseTime, 'release_time');
  const { view, change } = await changeOf(deps, request, context);
  const command: Command = { ...change, verb: 'extend', releaseMs };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const granted = await leader.submit(command, limit);
      return claimAnswer(ExtendClaimResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).extendClaim(request, options),
  });
};

const shortenClaim = async (
  deps: RpcDeps,
  request: ShortenClaimRequest,
  context: HandlerContext,
): Promise<ShortenClaimResponse> => {
  const { releaseTime } = request;
  if (releaseTime === undefined) throw invalidField('release_time', 'must be given');
  const releaseMs = momentOf(releaseTime, 'release_time');
  const { view, change } = await changeOf(deps, request, context);
  const command: Command = { ...change, verb: 'shorten', releaseMs };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const granted = await leader.submit(command, limit);
      return claimAnswer(ShortenClaimResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).shortenClaim(request, options),
  });
};

const transferClaim = async (
  deps: RpcDeps,
  request: TransferClaimRequest,
  context: HandlerContext,
): Promise<TransferClaimResponse> => {
  if (request.consumer === undefined) throw invalidField('consumer', 'must be given');
  const consumer = consumerOf(request.consumer);
  const fromUid = request.fromConsumerUid === '' ? undefined : keyOf(request.fromConsumerUid);
  const { view, change } = await changeOf(deps, request, context);
  const command: Command = { ...change, verb: 'transfer', consumer, fromUid };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const granted = await leader.submit(command, limit);
      return claimAnswer(TransferClaimResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).transferClaim(request, options),
  });
};

const beginRelease = async (
  deps: RpcDeps,
  request: BeginReleaseRequest,
  context: HandlerContext,
): Promise<BeginReleaseResponse> => {
  const { view, change } = await changeOf(deps, request, context);
  const command: Command = { ...change, verb: 'begin-release' };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const granted = await leader.submit(command, limit);
      return claimAnswer(BeginReleaseResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).beginRelease(request, options),
  });
};

const finishRelease = async (
  deps: RpcDeps,
  request: FinishReleaseRequest,
  context: HandlerContext,
): Promise<FinishReleaseResponse> => {
  assertService(context);
  const { view, project, claim } = await named(deps, request.name, context);
  const command: Command = {
    verb: 'finish-release',
    origin: originOf(context),
    ref: { project, claim },
    providerUid: keyOf(request.providerUid),
  };
  return atLeader(deps, context, view, {
    local: async (leader, limit) => {
      const granted = await leader.submit(command, limit);
      return claimAnswer(FinishReleaseResponseSchema, { deps, view, granted });
    },
    remote: (transport, options) =>
      createClient(ClaimService, transport).finishRelease(request, options),
  });
};
