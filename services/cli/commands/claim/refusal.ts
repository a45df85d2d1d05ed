import { ConnectError, createClient } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../../../gen/google/rpc/error_details_pb.ts';
import { NoCapacitySchema } from '../../../../gen/runmachine/common/v1/error_pb.ts';
import type { ClaimSpec } from '../../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { ClaimService } from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { AdvisedError } from '../../advised-error.ts';
import { callOptions } from '../../call-options.ts';
import { ASK_OPTIONS } from '../../claim-options.ts';
import { windowSeconds } from '../../claim-window.ts';
import type { Args, Context } from '../../command.ts';
import { spanText } from '../../format/span.ts';

/** A refusal must not keep people waiting for its explanation. */
const EXPLAIN_LIMIT_MS = 5_000;

type Refused = { readonly parent: string; readonly spec: ClaimSpec | undefined };

/**
 * A claim that found no place, or passes a quota, with the nearest request that would have been
 * granted, and with what to type to learn more: the request as it was typed.
 */
export const advisedRefusal = async (
  context: Context,
  args: Args,
  { error, parent, spec }: Refused & { readonly error: unknown },
): Promise<unknown> => {
  if (!(error instanceof ConnectError)) return error;
  const { reason = '', metadata = {} } = error.findDetails(ErrorInfoSchema)[0] ?? {};
  if (reason !== 'NO_CAPACITY' && reason !== 'QUOTA_EXCEEDED') return error;
  const { from: _, until: __, for: ___, ...timeless } = ASK_OPTIONS;
  const seconds = spec && windowSeconds(spec, context.clock.now());
  const again = args.typed(new Set(Object.keys(ASK_OPTIONS)));
  const request = args.typed(new Set(Object.keys(timeless)));
  const isTold = (error.findDetails(NoCapacitySchema)[0]?.suggestions.length ?? 0) > 0;
  return new AdvisedError(error, {
    suggestions: isTold ? [] : await suggestionsFor(context, { parent, spec }),
    next: [
      reason === 'QUOTA_EXCEEDED'
        ? `runm quota get ${metadata.project ?? ''}`.trimEnd()
        : ['runm claim explain', ...again].join(' '),
      ['runm claim windows', ...request, `--for ${seconds ? spanText(seconds) : '1d'}`].join(' '),
    ],
  });
};

/** Looking for them is an extra: where it fails, the refusal is told without. */
const suggestionsFor = async (
  context: Context,
  { parent, spec }: Refused,
): Promise<readonly string[]> => {
  if (!spec) return [];
  const client = createClient(ClaimService, context.transport());
  try {
    const options = callOptions(context, EXPLAIN_LIMIT_MS);
    return (await client.explainClaim({ parent, spec }, options)).suggestions;
  } catch (error) {
    if (error instanceof ConnectError) return [];
    throw error;
  }
};
