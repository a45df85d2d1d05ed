import test from 'ava';
import { lostSessions, NO_SUSPECTS } from '../../../services/machine/domain/lost-sessions.ts';

const a = { uid: 'a', epoch: 1 };
const b = { uid: 'b', epoch: 4 };
const at = (nowMs: number) => ({ nowMs, patienceMs: 5_000 });

test('a session is lost when its replica is away at a look and long after', (t) => {
  const first = lostSessions([a, b], NO_SUSPECTS, at(0));
  t.deepEqual(first.lost, []);
  const second = lostSessions([a], first.suspects, at(5_000));
  t.deepEqual(second.lost, [a]);
  t.is(second.suspects.size, 0);
});

test('looks that follow each other closely are patient with one that has just come', (t) => {
  let { lost, suspects } = lostSessions([a], NO_SUSPECTS, at(0));
  for (let nowMs = 100; nowMs < 5_000; nowMs += 100) {
    ({ lost, suspects } = lostSessions([a], suspects, at(nowMs)));
    t.deepEqual(lost, []);
  }
  t.deepEqual(lostSessions([a], suspects, at(5_000)).lost, [a]);
});

test('one whose replica was heard of in between is looked at anew', (t) => {
  const first = lostSessions([a], NO_SUSPECTS, at(0));
  const heard = lostSessions([], first.suspects, at(5_000));
  t.deepEqual(lostSessions([a], heard.suspects, at(10_000)).lost, []);
});

test('an agent that dialled again in between has another session', (t) => {
  const first = lostSessions([a], NO_SUSPECTS, at(0));
  t.deepEqual(lostSessions([{ ...a, epoch: 2 }], first.suspects, at(5_000)).lost, []);
});
