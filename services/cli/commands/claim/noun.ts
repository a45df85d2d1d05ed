import {
  type Allocation,
  type Claim,
  ClaimEnd,
  ClaimEndSchema,
  ClaimSchema,
  ClaimState,
  ClaimStateSchema,
} from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { Noun } from '../../crud.ts';
import { formatAmount } from '../../format/amount.ts';
import { enumWord } from '../../format/enum-word.ts';
import { formatLocalTime } from '../../format/span.ts';
import { formatFields } from '../../format/table.ts';
import { inProject, lastSegment } from '../../resource-names.ts';

export const claimState = (claim: Claim): string =>
  enumWord(ClaimStateSchema, claim.status?.state ?? ClaimState.UNSPECIFIED);

export const claimUntil = (claim: Claim): string =>
  claim.spec?.releaseTime ? formatLocalTime(claim.spec.releaseTime) : 'for ever';

/** "8 GiB runm.memory of host-1". */
export const heldText = (one: Allocation): string =>
  `${formatAmount(one.resourceType, one.amount)} ${one.resourceType} of ${placeOf(one)}`;

const placeOf = (one: Allocation): string => lastSegment(one.provider) || one.providerUid;

/** How many of what, where there are many: "1 runm.machine.whole of each of 8 providers". */
export const holdsText = (claim: Claim): string => {
  const held = (claim.status?.allocations ?? []).filter((one) => !one.finishTime);
  const first = held[0];
  if (held.length <= 3 || !first) return held.map(heldText).join(', ');
  const isSame = held.every(
    (one) => one.resourceType === first.resourceType && one.amount === first.amount,
  );
  const providers = new Set(held.map((one) => one.providerUid));
  if (!isSame) return `${held.length} allocations of ${providers.size} providers`;
  const amount = formatAmount(first.resourceType, first.amount);
  return `${held.length} × ${amount} ${first.resourceType} of ${providers.size} providers`;
};

/** Who holds it: the consumer, or nobody yet. */
const heldFor = (claim: Claim): string => {
  const consumer = claim.spec?.consumer;
  return consumer ? lastSegment(consumer.name) || `${consumer.type} ${consumer.uid}` : '';
};

const ended = (claim: Claim): string => {
  const end = claim.status?.end ?? ClaimEnd.UNSPECIFIED;
  return end === ClaimEnd.UNSPECIFIED ? '' : `, ${enumWord(ClaimEndSchema, end)}`;
};

/** More lines than that nobody reads; `--json` has all. */
const HOLDS_SHOWN = 32;

const holdsFields = (claim: Claim): [string, string][] => {
  const allocations = claim.status?.allocations ?? [];
  const isMany = (claim.spec?.groups.length ?? 0) > 1;
  const more = allocations.length - HOLDS_SHOWN;
  return [
    ...allocations
      .slice(0, HOLDS_SHOWN)
      .map((one): [string, string] => [
        'holds',
        heldText(one) +
          (isMany ? ` for ${one.group} ${one.index + 1}` : '') +
          (one.finishTime ? ` (given back ${formatLocalTime(one.finishTime)})` : ''),
      ]),
    ...(more > 0 ? [['', `and ${more} more allocations`] satisfies [string, string]] : []),
  ];
};

export const describeClaim = (claim: Claim): string =>
  formatFields([
    ['name', claim.name],
    ['uid', claim.uid],
    ['state', `${claimState(claim)}${ended(claim)}`],
    ['problem', claim.status?.problem?.message ?? ''],
    ['for', heldFor(claim)],
    ['owner', claim.status?.owner ?? ''],
    ['from', formatLocalTime(claim.spec?.acquireTime)],
    ['until', claimUntil(claim)],
    ['released', formatLocalTime(claim.status?.releaseBeginTime)],
    ['count', (claim.spec?.count ?? 0) > 1 ? String(claim.spec?.count) : ''],
    ['placed anew', claim.status?.replacements ? `${claim.status.replacements} times` : ''],
    ...holdsFields(claim),
    ['tags', claim.tags.join(' ')],
  ]);

export const claimNoun: Noun<typeof ClaimSchema> = {
  singular: 'claim',
  schema: ClaimSchema,
  name: (claim) => claim.name,
  fullName: (context, typed) => inProject(context.settings, 'claims', typed),
  columns: [
    { title: 'NAME', value: (claim) => lastSegment(claim.name) },
    { title: 'STATE', value: claimState },
    { title: 'FOR', value: heldFor },
    { title: 'FROM', value: (claim) => formatLocalTime(claim.spec?.acquireTime) },
    { title: 'UNTIL', value: claimUntil },
    { title: 'HOLDS', value: holdsText },
  ],
  people: describeClaim,
};
