/**
 * Records once what happened to a claim, over restarts and replicas: the note that it was told lies
 * in the transaction of the event.
 */
import type { Clock } from '../../runtime/clock.ts';
import { placeOf } from '../../runtime/names.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { type FollowedClaim, newsOf } from '../domain/claim-news.ts';
import type { Records } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'events' | 'claimNews'>;
  readonly clock: Clock;
  readonly random: Random;
};

const ACTOR = { principal: 'services/machine', requestId: 'claim news' };

export const announceClaim = async (
  { store, records, clock, random }: Deps,
  claim: FollowedClaim,
): Promise<void> => {
  const recordMs = clock.now().getTime();
  const all = newsOf(claim, recordMs);
  if (all.length === 0) return;
  const { uid: claimUid } = claim;
  const told = await store.read((reader) => records.claimNews.told(reader, claimUid));
  const news = all.filter(({ occurrence }) => !told.has(occurrence));
  if (news.length === 0) return;
  const about = aboutClaim(claim);
  await store.transaction(undefined, ACTOR, async (tx) => {
    for (const { occurrence, draft } of news) {
      if (!(await records.claimNews.insert(tx, { claimUid, occurrence, recordMs }))) continue;
      const uid = random.uid();
      await records.events.insert(tx, [
        { ...draft, ...about, uid, recordMs, principal: '', operation: '' },
      ]);
    }
  });
};

/** About whom an event is, for a claim. */
const aboutClaim = ({ name, uid }: FollowedClaim) => {
  const { partition = '', project = '' } = placeOf(name);
  return { partition, project, target: name, targetUid: uid };
};
