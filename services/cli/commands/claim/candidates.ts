import { createClient } from '@connectrpc/connect';
import type { Allocation } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimCandidate,
  ClaimService,
  type ListClaimCandidatesResponse,
  ListClaimCandidatesResponseSchema,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import { ASK_OPTIONS } from '../../claim-options.ts';
import type { Command } from '../../command.ts';
import { formatAmount } from '../../format/amount.ts';
import { formatTable } from '../../format/table.ts';
import { showOne } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { wantedSpec } from '../../wanted-claims.ts';

export const candidates: Command = {
  summary: 'list where a request could be placed now, best first',
  options: {
    ...ASK_OPTIONS,
    limit: { type: 'string', value: 'N', help: 'most candidates (10)' },
  },
  examples: ['runm claim candidates --whole --rank closest --distance-type network --near rack1'],
  run: async (context, args) => {
    const limit = args.string('limit') ?? '10';
    if (!/^[1-9]\d{0,2}$|^1000$/.test(limit)) {
      throw new UsageError('--limit is a number from 1 to 1000');
    }
    const client = createClient(ClaimService, context.transport());
    const request = { ...(await wantedSpec(context, args)), limit: Number(limit) };
    const answer = await client.listClaimCandidates(request, callOptions(context));
    const shown = { schema: ListClaimCandidatesResponseSchema, name: quietText };
    await showOne(context.output, shown, { message: answer, people: () => peopleText(answer) });
    if (context.output.mode === 'table') {
      const again = args.typed(new Set(Object.keys(ASK_OPTIONS))).join(' ');
      context.output.remark(
        answer.candidates.length === 0
          ? `next: runm claim explain ${again}`
          : `next: runm claim create NAME ${again} --candidate 1`,
      );
    }
    return undefined;
  },
};

const quietText = ({ candidates }: ListClaimCandidatesResponse): string =>
  candidates.map((one) => placesOf(one).join(' ')).join('\n');

const peopleText = (answer: ListClaimCandidatesResponse): string => {
  if (answer.candidates.length === 0) return 'nothing fits';
  const ranked = answer.candidates.map((candidate, index) => ({ candidate, rank: index + 1 }));
  return formatTable(
    [
      { title: 'RANK', value: ({ rank }: Ranked) => String(rank) },
      { title: 'WOULD HOLD', value: ({ candidate }: Ranked) => amountsText(candidate) },
      { title: 'FREE THERE', value: ({ candidate }: Ranked) => freeText(answer, candidate) },
      { title: 'PROVIDERS', value: ({ candidate }: Ranked) => placesText(candidate) },
    ],
    ranked,
  );
};

type Ranked = { readonly candidate: ClaimCandidate; readonly rank: number };

const placesOf = (candidate: ClaimCandidate): string[] => [
  ...new Set(candidate.allocations.map((one) => lastSegment(one.provider) || one.providerUid)),
];

const PLACES_SHOWN = 6;

const placesText = (candidate: ClaimCandidate): string => {
  const places = placesOf(candidate);
  const more = places.length - PLACES_SHOWN;
  return [...places.slice(0, PLACES_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join(' ');
};

const amountsText = ({ allocations }: ClaimCandidate): string => {
  const sums = new Map<string, bigint>();
  for (const { resourceType, amount } of allocations) {
    sums.set(resourceType, (sums.get(resourceType) ?? 0n) + amount);
  }
  return [...sums].map(([type, amount]) => `${formatAmount(type, amount)} ${type}`).join(', ');
};

/** What the providers of a candidate have left before it, of what it would hold. */
const freeText = (answer: ListClaimCandidatesResponse, { allocations }: ClaimCandidate): string => {
  const wanted = new Set(allocations.map((one) => one.resourceType));
  const uids = new Set(allocations.map((one) => one.providerUid));
  const free = new Map<string, bigint>();
  for (const provider of answer.providers) {
    if (!uids.has(provider.providerUid)) continue;
    for (const { resourceType, usable, used } of provider.resources) {
      if (!wanted.has(resourceType)) continue;
      const left = usable > used ? usable - used : 0n;
      free.set(resourceType, (free.get(resourceType) ?? 0n) + left);
    }
  }
  return [...free]
    .map(([type, amount]: [Allocation['resourceType'], bigint]) => formatAmount(type, amount))
    .join(', ');
};
