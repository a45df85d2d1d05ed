import test from 'ava';
import { silenceMsMax } from '../../../services/machine/domain/hello.ts';
import { watchSilence } from '../../../services/machine/work/silence.ts';
import { nextTurn, OVER } from '../../../services/runtime/clock.ts';

const HEARTBEAT_MS = 10_000;

/** One session, last heard at 0; `look` lets the next look happen at that time. */
const watched = () => {
  const session = { lastHeardMs: 0 };
  const closed: string[] = [];
  const end = new AbortController();
  let nowMs = 0;
  let wake = (): void => undefined;
  const over = watchSilence(
    {
      clock: {
        now: () => new Date(nowMs),
        monotonicMs: () => nowMs,
        sleep: () => new Promise<void>((resolve) => (wake = resolve)),
      },
      heartbeatMs: HEARTBEAT_MS,
      sessions: () => [session],
      close: (_session, why) => void closed.push(why),
    },
    end.signal,
  );
  const look = async (atMs: number): Promise<void> => {
    nowMs = atMs;
    wake();
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  };
  const drain = async (): Promise<void> => {
    end.abort(OVER);
    wake();
    await over;
  };
  return { session, closed, look, drain };
};

test('who says nothing for longer than is allowed loses his session, and not before', async (t) => {
  const { closed, look, drain } = watched();
  await look(silenceMsMax(HEARTBEAT_MS));
  t.deepEqual(closed, []);
  await look(silenceMsMax(HEARTBEAT_MS) + 1);
  t.deepEqual(closed, ['SILENT']);
  await drain();
  t.is(closed.at(-1), 'DRAINING');
});

test('a heartbeat that waits while the process is held up is read before it counts', async (t) => {
  const { session, closed, look, drain } = watched();
  const lateMs = 10 * silenceMsMax(HEARTBEAT_MS);
  // As the socket is read: in the turn in which the look is due, after its timer.
  setImmediate(() => {
    session.lastHeardMs = lateMs;
  });
  await look(lateMs);
  t.deepEqual(closed, []);
  await drain();
});
