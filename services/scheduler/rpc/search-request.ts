/** What the calls that only search have in common: who asks for what, and the way to the leader. */
import type { CallOptions, HandlerContext, Transport } from '@connectrpc/connect';
import type { ClaimSpec } from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { callOf } from '../../runtime/context.ts';
import type { Draft } from '../domain/command.ts';
import type { PartitionView, Search as SearchOf } from '../ports.ts';
import { atLeader, runsPartition } from './claim-calls.ts';
import { projectNotFound } from './claim-creation.ts';
import { specOf } from './claim-request.ts';
import { parentOf, viewOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';
import { checkNames } from './request-names.ts';

type SearchRequest = { readonly parent: string; readonly spec?: ClaimSpec | undefined };

export type Search<T> = {
  readonly request: SearchRequest;
  /** Bounded, and in short steps: it runs at the leader. */
  readonly look: (draft: Draft) => SearchOf<T>;
  /** The same call at another replica. */
  readonly remote: (transport: Transport, options: CallOptions) => Promise<T>;
};

/**
 * Looks at the leader for what a claim of this spec would meet. Errors: those of CreateClaim that
 * say that the request makes no sense.
 */
export const searchAtLeader = async <T>(
  deps: RpcDeps,
  context: HandlerContext,
  { request, look, remote }: Search<T>,
): Promise<T> => {
  const view = await viewIn(deps, request.parent, context);
  const draft = await draftIn(deps, context, { request, view });
  return atLeader(deps, context, view, {
    local: async (leader, signal) => {
      const { partition } = view;
      await checkNames(deps, { partition, spec: draft.spec, at: 'spec', signal });
      const { onBehalfOf, principal } = originOf(context);
      return leader.read(onBehalfOf ?? principal, look(draft), signal);
    },
    remote,
  });
};

const viewIn = (deps: RpcDeps, parent: string, context: HandlerContext): Promise<PartitionView> =>
  viewOf(deps, parentOf(parent).partition, callOf(context).signal);

type Asked = { readonly request: SearchRequest; readonly view: PartitionView };

/** The claim that nobody makes: its name is its uid, so that it is taken by none. */
const draftIn = async (
  deps: RpcDeps,
  context: HandlerContext,
  { request, view }: Asked,
): Promise<Draft> => {
  const { project: id } = parentOf(request.parent);
  const spec = specOf(request.spec, 'spec');
  const project = await deps.projects.find(id, callOf(context).signal);
  if (project === undefined) throw projectNotFound(id);
  const uid = deps.random.uid();
  return {
    uid,
    claimId: uid,
    project: project.id,
    ancestors: project.ancestors,
    isUnbounded: runsPartition(context, view.partition),
    properties: {},
    tags: [],
    spec,
  };
};
