/**
 * What clients did and were told, on one clock: all that the checker knows of a run beside the
 * final store. It is written by those who call, and never by those who serve.
 */

export type ShownAllocation = {
  readonly providerUid: string;
  readonly resourceType: string;
  readonly amount: number;
};

/** A claim as an answer showed it. */
export type ShownClaim = {
  readonly uid: string;
  /** Its window runs and it was said to have everything. */
  readonly isActive: boolean;
  readonly allocations: readonly ShownAllocation[];
};

export type CallRequest =
  | { readonly verb: 'create'; readonly project: string; readonly claimId: string }
  | { readonly verb: 'show'; readonly claimUid: string }
  | { readonly verb: 'begin-release'; readonly claimUid: string }
  | { readonly verb: 'finish-release'; readonly claimUid: string; readonly providerUid: string }
  | {
      /** Extends or shortens. */
      readonly verb: 'move-end';
      readonly claimUid: string;
      readonly fromReleaseMs: number;
      readonly releaseMs: number;
    }
  | {
      readonly verb: 'set-capacity';
      readonly providerUid: string;
      /** Grows with every change of the amounts. */
      readonly generation: number;
      /** By resource type. */
      readonly amounts: ReadonlyMap<string, number>;
      readonly closed: boolean;
    };

export type CallOutcome =
  | { readonly kind: 'granted'; readonly claim: ShownClaim | undefined }
  | {
      readonly kind: 'refused';
      readonly reason: string;
      /** Type of the object that it is about, "runm.claim"; empty = not said. */
      readonly about: string;
      /** An attempt before got no answer and may still arrive: the refusal need not last. */
      readonly mayLinger: boolean;
    }
  /** Its caller gave up without having learned. */
  | { readonly kind: 'unknown' };

/** One request with all its attempts, which share the request id. */
export type Call = {
  readonly client: string;
  readonly requestId: string;
  readonly request: CallRequest;
  /** The first attempt was sent. */
  readonly beganMs: number;
  /** The last answer came; Infinity = none did. */
  readonly endedMs: number;
  readonly outcome: CallOutcome;
};

export type History = {
  readonly calls: readonly Call[];
  readonly add: (call: Call) => void;
};

export const createHistory = (): History => {
  const calls: Call[] = [];
  return { calls, add: (call) => void calls.push(call) };
};

type Granted = { readonly kind: 'granted'; readonly claim: ShownClaim | undefined };

export type GrantedCall<Verb extends CallRequest['verb']> = Call & {
  readonly request: Extract<CallRequest, { verb: Verb }>;
  readonly outcome: Granted;
};

/** The calls of a verb, whatever became of them. */
export const callsOf = <Verb extends CallRequest['verb']>(
  calls: readonly Call[],
  verb: Verb,
): readonly (Call & { readonly request: Extract<CallRequest, { verb: Verb }> })[] =>
  calls.filter(
    (call): call is Call & { readonly request: Extract<CallRequest, { verb: Verb }> } =>
      call.request.verb === verb,
  );

export const grantedOf = <Verb extends CallRequest['verb']>(
  calls: readonly Call[],
  verb: Verb,
): readonly GrantedCall<Verb>[] =>
  callsOf(calls, verb).filter((call): call is GrantedCall<Verb> => call.outcome.kind === 'granted');
