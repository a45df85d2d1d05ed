import type { ExecutionContext, TestFn } from 'ava';

/**
 * AVA begins all tests of a file together. Hundreds that each bring up a server and talk to it
 * would make each other late: `await turn(t)` lets so many on at once, each until its test ends.
 */
export const fewAtOnce = (count: number): ((t: ExecutionContext<unknown>) => Promise<void>) => {
  let free = count;
  const waiting: (() => void)[] = [];
  const giveBack = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return async (t) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    // Teardowns run from the last to the first, so that what the test started has ended by then.
    t.teardown(giveBack);
  };
};

/** The same for a file whose tests are plain ones: `inTurns(ava, 4)` is its `test`. */
export const inTurns = (
  test: TestFn,
  count: number,
): ((title: string, body: (t: ExecutionContext<unknown>) => Promise<void>) => void) => {
  const turn = fewAtOnce(count);
  return (title, body) =>
    test(title, async (t) => {
      await turn(t);
      await body(t);
    });
};
