/** One look for all sessions: who fell silent, and at the end everybody, loses his session. */
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import type { AgentSession } from '../agent-port.ts';
import { silenceMsMax } from '../domain/hello.ts';

type Watched<Session> = {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly sessions: () => Iterable<Session>;
  readonly close: (session: Session, why: 'SILENT' | 'DRAINING') => void;
};

export const watchSilence = async <Session extends Pick<AgentSession, 'lastHeardMs'>>(
  { clock, heartbeatMs, sessions, close }: Watched<Session>,
  signal: AbortSignal,
): Promise<void> => {
  const limitMs = silenceMsMax(heartbeatMs);
  while (!signal.aborted) {
    await clock.sleep(heartbeatMs / 10, signal).catch(() => undefined);
    // Where this process was held up itself, the heartbeats that came meanwhile are read first.
    await nextTurn();
    const nowMs = clock.monotonicMs();
    for (const session of sessions()) {
      if (nowMs - session.lastHeardMs > limitMs) close(session, 'SILENT');
    }
  }
  for (const session of [...sessions()]) close(session, 'DRAINING');
};
