import test from 'ava';
import { lostSessions, NO_SUSPECTS } from '../../../services/machine/domain/lost-sessions.ts';

const a = { uid: 'a', epoch: 1 };
const b = { uid: 'b', epoch: 4 };

test('a session is lost when its replica is away at two looks in a row', (t) => {
  const first = lostSessions([a, b], NO_SUSPECTS);
  t.deepEqual(first.lost, []);
  const second = lostSessions([a], first.suspects);
  t.deepEqual(second.lost, [a]);
  t.is(second.suspects.size, 0);
});

test('one whose replica was heard of in between is looked at anew', (t) => {
  const first = lostSessions([a], NO_SUSPECTS);
  const heard = lostSessions([], first.suspects);
  t.deepEqual(lostSessions([a], heard.suspects).lost, []);
});

test('an agent that dialled again in between has another session', (t) => {
  const first = lostSessions([a], NO_SUSPECTS);
  t.deepEqual(lostSessions([{ ...a, epoch: 2 }], first.suspects).lost, []);
});
