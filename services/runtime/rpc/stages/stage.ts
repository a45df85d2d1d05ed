import type { Message } from '@bufbuild/protobuf';
import type { CallState } from '../call-state.ts';

/**
 * One step of the pipeline. All `begin` run in order, then all `request` in order for each message
 * that comes in (a unary call has one). A stage refuses by throwing a DomainError. No promise where
 * none is needed: these run on every call of every agent.
 */
export type Stage = {
  readonly name: string;
  readonly begin?: (call: CallState) => undefined | Promise<undefined>;
  readonly request?: (call: CallState, request: Message, isFirst: boolean) => void;
  /** Every 10 s on a stream: is the caller still who it was, and still allowed? */
  readonly recheck?: (call: CallState) => undefined | Promise<undefined>;
};
