import type { HandlerContext } from '@connectrpc/connect';
import type { Access } from '../access.ts';
import { accessFor } from '../access.ts';
import type { Clock } from '../clock.ts';
import { type Call, callKey } from '../context.ts';
import { DomainError } from '../errors.ts';
import { anonymous, type Identity } from '../identity.ts';
import type { RequestMark } from '../request-key.ts';
import type { MethodFacts } from './method-facts.ts';
import { type Peer, peerKey } from './peer.ts';

const NOBODY: Peer = { source: { kind: 'people' }, header: () => undefined, address: '' };

/** One call while it runs. The stages fill it in; the handler sees it as a read-only `Call`. */
export class CallState implements Call {
  readonly facts: MethodFacts;
  readonly peer: Peer;
  /** What the handler gets: the mount's context with the signal of this call. */
  readonly context: HandlerContext;
  readonly startedMs: number;
  requestId = '';
  identity: Identity = anonymous;
  actor: Identity = anonymous;
  requestMark: RequestMark | undefined;
  hops = 0;
  /** Monotonic; undefined = none. */
  deadlineMs: number | undefined;
  /** Resource names in the first request; policy looks at them again while a stream lives. */
  names: readonly string[] = [];
  /** The request names no place that policy could judge: the handler must look at `access`. */
  unplaced = false;
  accessWasRead = false;
  /** When identity and policy are looked at again (rechecks.ts); undefined: it is no stream. */
  turn: number | undefined;
  isRechecking = false;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  /** Of the mount. */
  readonly #outer: HandlerContext;
  #timer: NodeJS.Timeout | undefined;

  constructor(facts: MethodFacts, context: HandlerContext, clock: Clock) {
    this.facts = facts;
    this.#clock = clock;
    this.startedMs = clock.monotonicMs();
    this.peer = context.values.get(peerKey) ?? NOBODY;
    this.#outer = context;
    const { signal } = context;
    if (signal.aborted) this.handleEvent();
    else signal.addEventListener('abort', this, { once: true });
    context.values.set(callKey, this);
    this.context = new GuardedContext(context, this);
  }

  get method(): string {
    return this.facts.name;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get access(): Access {
    this.accessWasRead = true;
    return accessFor(this.identity, this.facts.policy?.permission ?? '');
  }

  get audited(): boolean {
    return this.facts.policy?.audited ?? false;
  }

  get quota(): string {
    return this.facts.policy?.quota ?? '';
  }

  remainingMs(): number | undefined {
    return this.deadlineMs === undefined
      ? undefined
      : Math.max(0, this.deadlineMs - this.#clock.monotonicMs());
  }

  /** What the client set; undefined = it set none. */
  clientTimeoutMs(): number | undefined {
    return this.#outer.timeoutMs();
  }

  /** Ends the call with that error, whatever the handler does. */
  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  /** At the deadline, unless it is closed before. */
  after(delayMs: number, run: () => void): void {
    this.#timer = setTimeout(run, delayMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#outer.signal.removeEventListener('abort', this);
  }

  /** The mount's signal aborted. A method, as a closure would be one more for each call. */
  handleEvent(): void {
    const timedOut =
      this.deadlineMs !== undefined && this.#clock.monotonicMs() >= this.deadlineMs - 1;
    this.#abort.abort(
      timedOut
        ? new DomainError('deadline_exceeded', 'DEADLINE_EXCEEDED', 'The deadline passed', {
            cause: this.#outer.signal.reason,
          })
        : new DomainError('cancelled', 'CANCELLED', 'The caller cancelled the call', {
            cause: this.#outer.signal.reason,
          }),
    );
  }
}

/**
 * Everything of the mount's context but the signal. Getters, because headers are built only when
 * somebody looks.
 */
class GuardedContext implements HandlerContext {
  readonly #inner: HandlerContext;
  readonly #call: CallState;

  constructor(inner: HandlerContext, call: CallState) {
    this.#inner = inner;
    this.#call = call;
  }

  get method() {
    return this.#inner.method;
  }
  get service() {
    return this.#inner.service;
  }
  get signal() {
    return this.#call.signal;
  }
  get timeoutMs() {
    return () => this.#call.remainingMs();
  }
  get requestMethod() {
    return this.#inner.requestMethod;
  }
  get requestHeader() {
    return this.#inner.requestHeader;
  }
  get responseHeader() {
    return this.#inner.responseHeader;
  }
  get responseTrailer() {
    return this.#inner.responseTrailer;
  }
  get protocolName() {
    return this.#inner.protocolName;
  }
  get values() {
    return this.#inner.values;
  }
  get url() {
    return this.#inner.url;
  }
}
