import { createClient } from '@connectrpc/connect';
import {
  ClaimService,
  type ExplainClaimResponse,
  ExplainClaimResponseSchema,
  type GroupFunnel,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import { ASK_OPTIONS } from '../../claim-options.ts';
import type { Command } from '../../command.ts';
import { funnelLines, suggestionLines } from '../../format/funnel.ts';
import { printable } from '../../format/table.ts';
import { showOne } from '../../output.ts';
import { wantedSpec } from '../../wanted-claims.ts';

export const explain: Command = {
  summary: 'say whether a request fits now, and what each of its constraints removes',
  options: ASK_OPTIONS,
  examples: ['runm claim explain --whole --count 8 --require cpu.x86.avx512 --spread rack:2'],
  run: async (context, args) => {
    const client = createClient(ClaimService, context.transport());
    const answer = await client.explainClaim(await wantedSpec(context, args), callOptions(context));
    await showOne(
      context.output,
      { schema: ExplainClaimResponseSchema, name: verdict },
      { message: answer, people: () => explanationText(answer) },
    );
    return undefined;
  },
};

const verdict = (answer: ExplainClaimResponse): string => (answer.fits ? 'fits' : 'does not fit');

export const explanationText = (answer: ExplainClaimResponse): string =>
  [
    `it ${verdict(answer)}`,
    ...answer.groups.flatMap((group) => groupLines(group, answer.groups.length > 1)),
    ...(answer.obstacle ? [`in the way: ${answer.obstacle}`] : []),
    ...suggestionLines(answer.suggestions),
  ]
    .map(printable)
    .join('\n');

const groupLines = (funnel: GroupFunnel, isNamed: boolean): string[] => {
  const { group, providers, steps, fitsWithout, remaining } = funnel;
  const lines = funnelLines({ providers, steps, fitsWithout });
  const [head = '', ...rest] = lines;
  const of = isNamed ? `group "${group}", ${head}` : head;
  return [of, ...rest, ...(steps.length === 0 ? [`  ${remaining} left`] : [])];
};
