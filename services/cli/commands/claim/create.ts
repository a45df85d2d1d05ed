import { createClient } from '@connectrpc/connect';
import type { Claim } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  type CreateClaimRequest,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { FiledClaim } from '../../claim-file.ts';
import { ASK_OPTIONS } from '../../claim-options.ts';
import type { Args, Command, Context } from '../../command.ts';
import { showOne } from '../../output.ts';
import { lastSegment, newId } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { wantedClaims } from '../../wanted-claims.ts';
import { claimNoun, describeClaim } from './noun.ts';

const SHARED: Omit<Command, 'summary' | 'run'> = {
  positionals: [
    { name: 'name', help: 'name of the new claim (one is made and shown)', optional: true },
  ],
  options: {
    ...ASK_OPTIONS,
    'claim-tag': { type: 'string', multiple: true, value: 'TEXT', help: 'tag of the claim' },
    candidate: {
      type: 'string',
      value: 'RANK',
      help: 'exactly there, as `claim candidates` ranks the same request',
    },
    'dry-run': { type: 'boolean', help: 'only check' },
  },
};

export const create: Command = {
  ...SHARED,
  summary: 'claim resources, all or nothing; a file of several claims makes each for itself',
  examples: [
    'runm claim create web --cpus 2 --memory 1GiB --for 4h',
    'runm claim create train --whole --count 8 --require gpu.a100 --spread rack:2 --for 7d',
    'runm claim create db --whole --distance "network<=same-row from group:rack1"',
    'runm claim create -f claims.yaml',
  ],
  run: (context, args) => claimResources(context, args),
};

export const reserve: Command = {
  ...SHARED,
  summary: 'claim resources for a time to come',
  examples: [
    'runm claim reserve --on metal --count 2 --for 4h --from tomorrow',
    'runm claim reserve bench --whole --count 2 --from "tomorrow 14:00" --for 4h',
  ],
  run: async (context, args) => {
    if (args.string('from') === undefined && args.string('file') === undefined) {
      throw new UsageError('--from is missing', 'or use `runm claim create`');
    }
    return claimResources(context, args);
  },
};

const claimResources = async (context: Context, args: Args): Promise<number | undefined> => {
  const wanted = await wantedClaims(context, args);
  const [only, second] = wanted;
  for (const { claim } of wanted) claim.tags.push(...args.strings('claim-tag'));
  if (second) {
    if (args.string('candidate') !== undefined) {
      throw new UsageError('--candidate places one claim', 'the file holds several');
    }
    if (args.optionalPositional('name') !== undefined) {
      throw new UsageError('the file holds several claims', 'give each its name in the file');
    }
    const { createMany } = await import('./batch.ts');
    return createMany(context, args, wanted);
  }
  if (only) await createOne(context, args, only);
  return undefined;
};

const createOne = async (context: Context, args: Args, wanted: FiledClaim): Promise<void> => {
  const { parent, claim } = wanted;
  const typed = args.optionalPositional('name') ?? wanted.id;
  const isNameless = typed === '';
  if (isNameless && args.string('file') !== undefined) {
    // A file is applied again: a name of chance would claim once more each time.
    throw new UsageError('NAME is missing', 'name of the new claim, here or in the file');
  }
  const claimId = isNameless ? someId(context) : newId(typed);
  const validateOnly = args.flag('dry-run');
  const rank = args.string('candidate');
  if (rank !== undefined && validateOnly) {
    throw new UsageError('--candidate and --dry-run exclude each other');
  }
  const made = await (rank === undefined
    ? createClaim(context, { parent, claimId, claim, validateOnly })
    : execute(context, { parent, claimId, claim }, rank)
  ).catch(async (error: unknown) => {
    const { advisedRefusal } = await import('./refusal.ts');
    throw await advisedRefusal(context, args, { error, parent, spec: claim.spec });
  });
  if (!made) return;
  await showOne(context.output, claimNoun, { message: made, people: () => describeClaim(made) });
  if (context.output.mode !== 'table') return;
  context.output.remark(
    validateOnly
      ? 'only checked: it would be placed like this'
      : `next: runm claim release ${lastSegment(made.name)}`,
  );
};

/** The last digits of a UUIDv7 are those that chance decides. */
const someId = ({ random }: Context): string => `claim-${random.uid().slice(-8)}`;

type Wanted = Pick<CreateClaimRequest, 'parent' | 'claimId'> & { readonly claim: Claim };

const createClaim = async (
  context: Context,
  wanted: Wanted & { readonly validateOnly: boolean },
): Promise<Claim | undefined> => {
  const client = createClient(ClaimService, context.transport());
  const request = { ...wanted, requestId: context.random.requestId() };
  return (await client.createClaim(request, callOptions(context))).claim;
};

const execute = async (
  context: Context,
  wanted: Wanted,
  rank: string,
): Promise<Claim | undefined> => {
  const { executeClaim, parseRank } = await import('./execute.ts');
  return executeClaim(context, wanted, parseRank(rank));
};
