import { create } from '@bufbuild/protobuf';
import { ClaimSchema } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { ClaimSpec } from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { FiledClaim } from './claim-file.ts';
import { REQUEST_OPTIONS } from './claim-options.ts';
import { claimSpec } from './claim-request.ts';
import { typedWindow } from './claim-window.ts';
import type { Args, Context } from './command.ts';
import { projectParent } from './resource-names.ts';
import { UsageError } from './usage-error.ts';

const REQUEST_NAMES = new Set(Object.keys(REQUEST_OPTIONS));

/** What the options or the file ask for; a window that was typed goes before that of a file. */
export const wantedClaims = async (context: Context, args: Args): Promise<FiledClaim[]> => {
  const window = typedWindow(context, args);
  const wanted = await untimedClaims(context, args);
  for (const { claim } of wanted) if (claim.spec) Object.assign(claim.spec, window);
  return wanted;
};

/** The same where one request is judged. */
export const wantedSpec = async (context: Context, args: Args): Promise<WantedSpec> =>
  onlySpec(await wantedClaims(context, args));

/** One request without the window of the options. */
export const untimedSpec = async (context: Context, args: Args): Promise<WantedSpec> =>
  onlySpec(await untimedClaims(context, args));

type WantedSpec = { readonly parent: string; readonly spec: ClaimSpec };

const untimedClaims = async (context: Context, args: Args): Promise<FiledClaim[]> => {
  const file = args.string('file');
  if (file === undefined) {
    const claim = create(ClaimSchema, { spec: await claimSpec(context, args) });
    return [{ parent: projectParent(context.settings), id: '', claim }];
  }
  const [extra] = args.typed(REQUEST_NAMES);
  if (extra) {
    throw new UsageError(`${extra} and -f exclude each other`, 'write it into the file');
  }
  // Loaded here: it brings a YAML reader and much of the contract.
  const { readClaims } = await import('./claim-file.ts');
  return readClaims(context, file);
};

const onlySpec = ([only, second]: readonly FiledClaim[]): WantedSpec => {
  if (second) throw new UsageError('the file holds more than one claim', 'ask for one at a time');
  const spec = only?.claim.spec;
  if (!only || !spec) throw new UsageError('the file says no spec');
  return { parent: only.parent, spec };
};
