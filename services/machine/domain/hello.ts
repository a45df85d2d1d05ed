/** What a server makes of an agent's Hello. */

export type Held = {
  readonly uid: string;
  readonly incarnation: number;
  readonly generation: number;
  /** Hexadecimal. */
  readonly digest: string;
};

export type Differences<A extends Held> = {
  /** What the agent lacks or holds in another version. */
  readonly send: readonly A[];
  /** What it holds and nobody wants: reported, never destroyed. */
  readonly orphans: readonly string[];
};

export const differences = <A extends Held>(
  held: readonly Held[],
  wanted: readonly A[],
): Differences<A> => {
  const holds = new Map(held.map((one) => [one.uid, one]));
  const known = new Set(wanted.map((one) => one.uid));
  return {
    send: wanted.filter((one) => !isSame(holds.get(one.uid), one)),
    orphans: held.map((one) => one.uid).filter((uid) => !known.has(uid)),
  };
};

const isSame = (held: Held | undefined, wanted: Held): boolean =>
  held !== undefined &&
  held.incarnation === wanted.incarnation &&
  held.generation === wanted.generation &&
  held.digest === wanted.digest;

/** The last instances that said Hello with one certificate, oldest first. */
export type Greeting = { readonly instanceId: string; readonly atMs: number };

export type Greeted =
  | { readonly kind: 'welcome'; readonly greetings: readonly Greeting[] }
  /** Two processes share one identity: both are refused until that time. */
  | {
      readonly kind: 'quarantine';
      readonly untilMs: number;
      readonly greetings: readonly Greeting[];
    };

const KEPT = 4;
/** Hellos that lie further apart than this say nothing about each other. */
const WINDOW_MS = 2 * 60_000;
const QUARANTINE_MS = 5 * 60_000;

/**
 * A restarted agent is a new instance each time and its old one never comes back; two that
 * alternate (A B A B) are two processes with one certificate, for example a cloned disk.
 */
export const greet = (earlier: readonly Greeting[], instanceId: string, nowMs: number): Greeted => {
  const recent = earlier.filter((one) => nowMs - one.atMs < WINDOW_MS);
  const last = recent.at(-1);
  const same = last?.instanceId === instanceId;
  const before = same ? recent.slice(0, -1) : recent;
  const greetings = [...before, { instanceId, atMs: nowMs }].slice(-KEPT);
  const [a, b, c, d] = greetings.map((one) => one.instanceId);
  const alternates = greetings.length === KEPT && a === c && b === d && a !== b;
  return alternates
    ? { kind: 'quarantine', untilMs: nowMs + QUARANTINE_MS, greetings }
    : { kind: 'welcome', greetings };
};

/**
 * The longest silence of a living agent: one heartbeat may be lost in part, and beats come with a
 * tenth of jitter.
 */
export const silenceMsMax = (heartbeatMs: number): number => heartbeatMs * 1.35;
