/** Where events go beside the timeline: which ones, and when a delivery is tried again. */
import type { EventRecord } from './event.ts';
import type { SetAside } from './set-aside.ts';

/** What came of one try. */
export type Delivery =
  | { readonly kind: 'taken' }
  /** Not now; `afterMs` is what the other side asked for. */
  | { readonly kind: 'later'; readonly why: string; readonly afterMs?: number }
  /** This recipient not now, whatever becomes of others. */
  | { readonly kind: 'set_aside'; readonly why: string }
  /** The other side does not want this one. */
  | { readonly kind: 'refused'; readonly why: string };

export type Sink = {
  /** Unique; its place in the stream of events is kept under it. */
  readonly key: string;
  readonly types: readonly string[];
  /** To whom an event goes; each gets it by itself. */
  readonly recipients: (event: EventRecord, signal: AbortSignal) => Promise<readonly string[]>;
  /**
   * One try, which ends by itself within seconds. Nothing cuts it short: whoever does not wait for
   * the answer must send again what has arrived.
   */
  readonly deliver: (event: EventRecord, recipient: string) => Promise<Delivery>;
};

/** How far a sink has come: behind `token` all but `done` is to be delivered. */
export type SinkCursor = {
  /** Of the change feed. */
  readonly token: string;
  /** Deliveries behind the token that were taken, as `doneKey` names them. */
  readonly done: readonly string[];
  /** Deliveries that were set aside, in no order. */
  readonly waiting: readonly SetAside[];
  /** When the last delivered event was recorded: where to go on if the token is too old. */
  readonly recordMs: number;
};

export const doneKey = (event: EventRecord, recipient: string): string =>
  recipient === '' ? event.uid : `${event.uid} ${recipient}`;

/** A type, the beginning of one with a star behind it, or a star for all. */
export const TYPE_PATTERN = /^(?:\*|[a-z][a-z0-9_.]*\*?)$/;

export const wantsType = (types: readonly string[], type: string): boolean =>
  types.some((one) => (one.endsWith('*') ? type.startsWith(one.slice(0, -1)) : type === one));

/** What is refused is tried again that often: a receiver that is being mended refuses too. */
export const REFUSALS_MAX = 3;

const DOUBLINGS_MAX = 20;
const ASKED_MS_MAX = 3_600_000;

export type Backoff = { readonly firstMs: number; readonly longestMs: number };

/** The pause after that many failures in a row; `chance` from 0 to 1 spreads receivers' load. */
export const retryPauseMs = (
  { firstMs, longestMs }: Backoff,
  failures: number,
  asked: { readonly chance: number; readonly afterMs?: number },
): number => {
  const doubled = firstMs * 2 ** Math.min(failures - 1, DOUBLINGS_MAX);
  const own = Math.min(doubled, longestMs) * (0.5 + asked.chance / 2);
  return Math.max(own, Math.min(asked.afterMs ?? 0, ASKED_MS_MAX));
};
