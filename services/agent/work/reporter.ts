import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { SessionRequestSchema } from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import {
  AgentEventSchema,
  type CommandResult,
  type Observation,
} from '../../../gen/runmachine/agent/v1/report_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Journal } from '../journal.ts';
import { fingerprint, type GuestView, observationOf, observationReport } from './observation.ts';

export type AgentHappening = {
  readonly type: string;
  readonly uid: string;
  readonly message: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly warning?: boolean;
};

export type DoneOrder = { readonly result: CommandResult; readonly keep: () => void };

/**
 * Puts what the agent sees into the journal, from where the session sends it; the same view is not
 * told twice.
 */
export type Reporter = {
  readonly observe: (view: GuestView) => void;
  /** Whether the last view of a guest is not stored by the control plane yet. */
  readonly isOnItsWay: (uid: string) => boolean;
  readonly happened: (happening: AgentHappening) => void;
  readonly commandDone: (result: { id: string; reason?: string; message?: string }) => void;
  /**
   * Results that are kept: `keep` writes one down, and is called in the transaction that puts the
   * reports into the journal, so that there are both or neither.
   */
  readonly ordersDone: (done: readonly DoneOrder[]) => void;
  /**
   * Forgets what was told, so that the next view of each guest is told anew (after a
   * resynchronisation).
   */
  readonly tellAgain: () => void;
  /** Called when there is something to send. */
  readonly onReport: (listener: () => void) => void;
};

export const createReporter = (deps: { journal: Journal; clock: Clock }): Reporter => {
  const told = new Map<string, string>();
  let listener = () => {};
  const put = (make: (sequence: bigint) => Uint8Array, replaces?: string) => {
    deps.journal.report(make, replaces);
    listener();
  };
  return {
    observe: (view) => {
      const observation: Observation = observationOf(view, deps.clock.now());
      const print = fingerprint(observation);
      if (told.get(view.uid) === print) return;
      put((sequence) => observationReport(sequence, observation), `observation ${view.uid}`);
      if (view.gone) told.delete(view.uid);
      else told.set(view.uid, print);
    },
    isOnItsWay: (uid) => deps.journal.isPending(`observation ${uid}`),
    happened: (happening) => {
      const value = create(AgentEventSchema, {
        time: timestampFromMs(deps.clock.now().getTime()),
        type: happening.type,
        targetUid: happening.uid,
        message: happening.message,
        data: { ...happening.data },
        warning: happening.warning === true,
      });
      put((sequence) =>
        toBinary(
          SessionRequestSchema,
          create(SessionRequestSchema, { sequence, content: { case: 'event', value } }),
        ),
      );
    },
    commandDone: ({ id, reason = '', message = '' }) => {
      const value = { id, succeeded: reason === '', reason, message };
      put((sequence) =>
        toBinary(
          SessionRequestSchema,
          create(SessionRequestSchema, { sequence, content: { case: 'commandResult', value } }),
        ),
      );
    },
    ordersDone: (done) => {
      deps.journal.reportAll(
        done.map(({ result: value, keep }) => (sequence) => {
          keep();
          return toBinary(
            SessionRequestSchema,
            create(SessionRequestSchema, { sequence, content: { case: 'commandResult', value } }),
          );
        }),
      );
      listener();
    },
    tellAgain: () => told.clear(),
    onReport: (next) => {
      listener = next;
    },
  };
};
