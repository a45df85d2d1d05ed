import { type Evidence, type FleetProvider, WHOLE } from './evidence.ts';

/** What one claim has of one provider from an instant on until another, not including it. */
export type Hold = {
  readonly claimUid: string;
  readonly providerUid: string;
  /** By resource type. */
  readonly amounts: ReadonlyMap<string, number>;
  readonly fromMs: number;
  readonly toMs: number;
};

type Amounts = ReadonlyMap<string, number>;

/** What a provider may have at most at an instant. */
export type MostOf = (provider: FleetProvider, atMs: number) => Amounts;

export type Judged = {
  readonly fleet: Evidence['fleet'];
  readonly mostOf: MostOf;
  /** When to look at holds of one tree: use is highest where one of them begins. */
  readonly instantsOf: (holds: readonly Hold[]) => readonly number[];
};

/**
 * Where holds are too much: one text for each tree of providers, for its first instant. What the
 * fleet does not have cannot be had at all.
 */
export const excesses = (
  holds: readonly Hold[],
  { fleet, mostOf, instantsOf }: Judged,
): readonly string[] => {
  const byUid = new Map(fleet.map((provider) => [provider.uid, provider]));
  const trees = new Map<string, Hold[]>();
  for (const hold of holds) {
    const root = byUid.get(hold.providerUid)?.rootUid ?? hold.providerUid;
    const those = trees.get(root) ?? [];
    trees.set(root, those);
    those.push(hold);
  }
  return [...trees.values()].flatMap((those) => {
    for (const atMs of instantsOf(those).toSorted((a, b) => a - b)) {
      const there = those.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
      const problem = sharedWhole(there) ?? tooMuch(there, { byUid, mostOf, atMs });
      if (problem !== undefined) return [`at ${atMs} ${problem}`];
    }
    return [];
  });
};

const sharedWhole = (there: readonly Hold[]): string | undefined => {
  const whole = there.find(({ amounts }) => (amounts.get(WHOLE) ?? 0) > 0);
  const other = there.find(({ claimUid }) => claimUid !== whole?.claimUid);
  if (whole === undefined || other === undefined) return undefined;
  const { claimUid, providerUid } = whole;
  return `claim ${claimUid} has the whole of ${providerUid} beside claim ${other.claimUid}`;
};

type Known = {
  readonly byUid: ReadonlyMap<string, FleetProvider>;
  readonly mostOf: MostOf;
  readonly atMs: number;
};

const tooMuch = (there: readonly Hold[], { byUid, mostOf, atMs }: Known): string | undefined => {
  const sums = new Map<string, Map<string, number>>();
  for (const { providerUid, amounts } of there) {
    const its = sums.get(providerUid) ?? new Map<string, number>();
    sums.set(providerUid, its);
    for (const [code, amount] of amounts) its.set(code, (its.get(code) ?? 0) + amount);
  }
  for (const [uid, its] of sums) {
    const provider = byUid.get(uid);
    const most = provider === undefined ? new Map<string, number>() : mostOf(provider, atMs);
    for (const [code, sum] of its) {
      if (sum <= (most.get(code) ?? 0)) continue;
      const claims = there.filter(({ providerUid }) => providerUid === uid);
      const names = [...new Set(claims.map(({ claimUid }) => claimUid))].join(', ');
      return `${sum} of ${most.get(code) ?? 0} ${code} of ${uid} are had by ${names}`;
    }
  }
  return undefined;
};

/** The largest amount of each resource type in any of these. */
export const largest = (all: Iterable<Amounts>): Amounts => {
  const most = new Map<string, number>();
  for (const amounts of all) {
    for (const [code, amount] of amounts) most.set(code, Math.max(most.get(code) ?? 0, amount));
  }
  return most;
};
