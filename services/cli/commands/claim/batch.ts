import { ConnectError, createClient } from '@connectrpc/connect';
import type { Claim } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { BatchClaimResult } from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import {
  BatchClaimResultSchema,
  ClaimService,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { FiledClaim } from '../../claim-file.ts';
import type { Args, Context } from '../../command.ts';
import { EXIT } from '../../exit.ts';
import { formatTable } from '../../format/table.ts';
import { showMany } from '../../output.ts';
import { exitCodeOf, refusalText } from '../../report-rpc-error.ts';
import { newId } from '../../resource-names.ts';
import { statusError } from '../../status-error.ts';
import { UsageError } from '../../usage-error.ts';
import { namingDocuments } from './batch-error.ts';
import { claimState, holdsText } from './noun.ts';

/** What the contract takes in one call. */
const BATCH_MAX = 64;

type Made = { readonly id: string; readonly result: BatchClaimResult };

/** Every claim for itself; the exit code is that of the first that was refused. */
export const createMany = async (
  context: Context,
  args: Args,
  wanted: readonly FiledClaim[],
): Promise<number> => {
  if (args.flag('dry-run')) {
    throw new UsageError('--dry-run checks one claim', 'the file holds several');
  }
  const parent = wanted[0]?.parent ?? '';
  if (wanted.some((one) => one.parent !== parent)) {
    throw new UsageError('the claims of the file are of several projects', 'one file a project');
  }
  const unnamed = wanted.findIndex((one) => one.id === '');
  if (unnamed >= 0) {
    throw new UsageError(`claim ${unnamed + 1} of the file has no name`, 'give it a `name:`');
  }
  const claims = wanted.map(({ id, claim }) => ({ claimId: newId(id), claim }));
  const made: Made[] = [];
  try {
    for (let at = 0; at < claims.length; at += BATCH_MAX) {
      made.push(...(await createSome(context, parent, claims.slice(at, at + BATCH_MAX))));
    }
  } catch (error) {
    if (made.length > 0) {
      await show(context, made);
      context.output.remark(withoutResult(made.length, claims.length));
    }
    throw error instanceof ConnectError ? namingDocuments(error, made.length) : error;
  }
  await show(context, made);
  const refused = made.find(({ result }) => result.result.case === 'error');
  return refused ? codeOf(refused.result) : EXIT.ok;
};

type Item = { readonly claimId: string; readonly claim: Claim };

/**
 * The request id is new in each run and not made of what the file says: who makes the same claims
 * again after their release would get the answer of the first time, and one for `4h` says another
 * end in every run. Claims of the file that are there already are refused by their names.
 */
const createSome = async (context: Context, parent: string, claims: Item[]): Promise<Made[]> => {
  const client = createClient(ClaimService, context.transport());
  const request = { parent, claims, requestId: context.random.requestId() };
  const { results } = await client.batchCreateClaims(request, callOptions(context));
  return results.map((result, at) => ({ id: claims[at]?.claimId ?? '', result }));
};

const withoutResult = (made: number, all: number): string =>
  made + 1 === all
    ? `document ${all} is without a result`
    : `documents ${made + 1} to ${all} are without a result`;

const show = async (context: Context, made: readonly Made[]): Promise<void> => {
  const shown = { schema: BatchClaimResultSchema, name: nameOf };
  const rows = made.map(({ result }) => result);
  const kept = rows.filter((one) => context.output.mode !== 'quiet' || one.result.case === 'claim');
  await showMany(context.output, shown, { rows: kept, people: () => formatTable(COLUMNS, made) });
  const refused = rows.filter(({ result }) => result.case === 'error').length;
  if (refused > 0) context.output.remark(`${refused} of ${rows.length} were refused`);
};

const COLUMNS = [
  { title: 'NAME', value: ({ id }: Made) => id },
  { title: 'RESULT', value: ({ result }: Made) => resultText(result) },
];

const nameOf = ({ result }: BatchClaimResult): string =>
  result.case === 'claim' ? result.value.name : '';

const resultText = ({ result }: BatchClaimResult): string => {
  switch (result.case) {
    case 'claim':
      return `${claimState(result.value)}  ${holdsText(result.value)}`;
    case 'error':
      return `refused: ${refusalText(statusError(result.value))}`;
    case undefined:
      return 'no answer';
  }
};

const codeOf = ({ result }: BatchClaimResult): number =>
  result.case === 'error' ? exitCodeOf(statusError(result.value)) : EXIT.failed;
