import test from 'ava';
import {
  dueOf,
  keepSome,
  SET_ASIDE_MAX,
  SET_ASIDE_MS,
  type SetAside,
  setAside,
} from '../../../services/machine/domain/set-aside.ts';

const NOW_MS = 1_800_000_000_000;
const letter = { eventUid: 'e', recipient: 'full@example.org' };
const since = (sinceMs: number, dueMs = sinceMs): SetAside => ({
  ...letter,
  tries: 1,
  sinceMs,
  dueMs,
});

test('each try counts, and it waits since the first', (t) => {
  const first = setAside(letter, undefined, { nowMs: NOW_MS, pauseMs: 5 });
  t.deepEqual(first, { ...letter, tries: 1, sinceMs: NOW_MS, dueMs: NOW_MS + 5 });
  const second = setAside(letter, first, { nowMs: NOW_MS + 7, pauseMs: 9 });
  t.deepEqual(second, { ...letter, tries: 2, sinceMs: NOW_MS, dueMs: NOW_MS + 16 });
});

test('what waits for too long is left out, and of too many the oldest', (t) => {
  const old = since(NOW_MS - SET_ASIDE_MS);
  const many = Array.from({ length: SET_ASIDE_MAX + 1 }, (_, at) => since(NOW_MS - at));
  const { kept, dropped } = keepSome([old, ...many], NOW_MS);
  t.is(kept.length, SET_ASIDE_MAX);
  t.deepEqual(dropped, [old, many.at(-1)]);
});

test('the longest due come first, and not all at once', (t) => {
  const waiting = [3, 1, 2, -1].map((ago) => since(NOW_MS - 100, NOW_MS - ago));
  const due = dueOf(waiting, NOW_MS, 2).map(({ dueMs }) => NOW_MS - dueMs);
  t.deepEqual(due, [3, 2]);
});
