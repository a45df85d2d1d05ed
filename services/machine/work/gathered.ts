/**
 * What is asked in one turn of the event loop is asked together: a statement or a call costs about
 * the same for one and for many.
 */
import { nextTurn } from '../../runtime/clock.ts';

/** Answers one of many in their order; a refusal of all of them is that of each. */
export type AskTogether<Asked, Answer> = (all: readonly Asked[]) => Promise<readonly Answer[]>;

export const createGathered = <Asked, Answer>(
  ask: AskTogether<Asked, Answer>,
  most: number,
): ((one: Asked) => Promise<Answer>) => {
  type Waiting = { readonly one: Asked; readonly done: PromiseWithResolvers<Answer> };
  let waiting: Waiting[] = [];
  const askSome = async (some: readonly Waiting[]): Promise<void> => {
    try {
      const answers = await ask(some.map(({ one }) => one));
      for (const [at, answer] of answers.entries()) some[at]?.done.resolve(answer);
    } catch (error) {
      for (const { done } of some) done.reject(error);
    }
  };
  const askAll = async (): Promise<void> => {
    await nextTurn();
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += most) void askSome(all.slice(at, at + most));
  };
  return (one) => {
    const done = Promise.withResolvers<Answer>();
    waiting.push({ one, done });
    if (waiting.length === 1) void askAll();
    return done.promise;
  };
};
