/** Refuses what would pass a quota. */
import { resourceExhausted } from '../../runtime/errors.ts';
import type { Interval } from './hold.ts';
import type { Counting, Excess, QuotaBook } from './quota-book.ts';
import type { Amounts } from './quota-count.ts';
import { saidAmount, saidOf } from './spoken.ts';

/** The amounts are summed up where there is a limit. */
type More = { readonly amounts: () => Amounts; readonly over: Interval };

/** Errors: resource_exhausted QUOTA_EXCEEDED with the project, the type and the numbers. */
export const assertQuota = (quotas: QuotaBook, who: Counting, { amounts, over }: More): void => {
  if (!quotas.areSetFor(who)) return;
  const excess = quotas.excess(who, amounts(), over);
  if (excess === undefined) return;
  const { project, user, resourceType, limit, used, wanted } = excess;
  throw resourceExhausted('QUOTA_EXCEEDED', saidExcess(excess), {
    metadata: {
      project,
      ...(user !== undefined && { user }),
      resourceType,
      limit: String(limit),
      used: String(used),
      wanted: String(wanted),
    },
  });
};

/** A limit that would be passed, as people read it. */
export const saidExcess = (excess: Excess): string => {
  const { project, user, resourceType, limit, used, wanted } = excess;
  const whose = user === undefined ? `Project "${project}"` : `${user} in project "${project}"`;
  return (
    `${whose} may hold ${saidOf(resourceType, limit)}; ` +
    `${saidAmount(resourceType, used)} are held or booked at some instant ` +
    `and ${saidAmount(resourceType, wanted)} more are wanted`
  );
};
