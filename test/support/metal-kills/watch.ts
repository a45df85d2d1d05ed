/** Looks at the journal all the time: what is on record when, and what must never be. */
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { Watched } from './journal.ts';
import { isPassing } from './patience.ts';
import { PARTITION, type Site } from './site.ts';

const JOURNAL_MS = 3;
const CLAIMS_MS = 150;

export type StepWatch = Disposable & {
  /** Calls for each step that is on record of it, once; answers how to end that. */
  readonly follow: (watched: () => Watched, heard: (step: string) => void) => () => void;
};

export const watchSteps = ({ journal }: Pick<Site, 'journal'>): StepWatch => {
  const followers = new Set<() => void>();
  let isNew = false;
  const look = (): void => {
    if (!journal.hasChanged() && !isNew) return;
    isNew = false;
    for (const follower of followers) follower();
  };
  const timer = setInterval(look, JOURNAL_MS);
  return {
    follow: (watched, heard) => {
      const known = new Set<string>();
      const follower = () => {
        for (const step of journal.steps(watched())) {
          if (known.has(step)) continue;
          known.add(step);
          heard(step);
        }
      };
      followers.add(follower);
      isNew = true;
      return () => followers.delete(follower);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
};

export type ClaimWatch = AsyncDisposable & {
  /** What was seen that must never be. */
  readonly wrongs: string[];
  /** Claims of that server, ended ones too. */
  readonly ofProvider: (providerUid: string) => Promise<readonly Claim[]>;
};

/** At no instant two claims hold a server, as far as anybody who asks can see. */
export const watchClaims = ({ clients }: Pick<Site, 'clients'>): ClaimWatch => {
  const wrongs: string[] = [];
  let isOver = false;
  const all = async (): Promise<readonly Claim[]> => {
    const parent = `${PARTITION}/projects/-`;
    const { claims } = await clients.claims.listClaims({ parent, pageSize: 1000 });
    return claims;
  };
  const work = async (): Promise<void> => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, CLAIMS_MS));
      try {
        wrongs.push(...doublyHeld(await all()));
      } catch (error) {
        if (!isPassing(error)) wrongs.push(`claims cannot be listed: ${String(error)}`);
      }
    }
  };
  const working = work();
  return {
    wrongs,
    ofProvider: async (uid) => (await all()).filter((claim) => holds(claim, uid)),
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await working;
    },
  };
};

const holds = ({ status }: Claim, providerUid: string): boolean =>
  (status?.allocations ?? []).some((one) => one.providerUid === providerUid);

/** Of one provider. */
export const unfinished = (claims: readonly Claim[], providerUid: string): readonly Claim[] =>
  claims.filter(({ status }) =>
    (status?.allocations ?? []).some(
      (one) => one.providerUid === providerUid && one.finishTime === undefined,
    ),
  );

const doublyHeld = (claims: readonly Claim[]): readonly string[] => {
  const uids = claims.flatMap((one) => one.status?.allocations ?? []).map((one) => one.providerUid);
  return [...new Set(uids)].flatMap((uid) => {
    const holders = unfinished(claims, uid).map(({ name }) => name);
    return holders.length > 1 ? [`${uid} is held by ${holders.join(' and ')}`] : [];
  });
};
