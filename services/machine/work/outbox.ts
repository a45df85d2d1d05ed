import type { Outbox } from '../agent-port.ts';

const ROOM = 64;

export const createOutbox = <T>(messagesMax: number): Outbox<T> => {
  let queued: T[] = [];
  let isEnded = false;
  let ring: (() => void) | undefined;
  let waiting: (() => void)[] = [];
  const wake = () => {
    ring?.();
    ring = undefined;
  };
  const release = () => {
    const all = waiting;
    waiting = [];
    for (const one of all) one();
  };
  return {
    push: (message) => {
      if (isEnded || queued.length >= messagesMax) return false;
      queued.push(message);
      wake();
      return true;
    },
    room: () =>
      isEnded || queued.length < ROOM
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push(resolve);
          }),
    end: () => {
      isEnded = true;
      wake();
      release();
    },
    messages: async function* () {
      try {
        for (;;) {
          const batch = queued;
          queued = [];
          for (const message of batch) yield message;
          release();
          if (queued.length > 0) continue;
          if (isEnded) return;
          await new Promise<void>((resolve) => {
            ring = resolve;
          });
        }
      } finally {
        isEnded = true;
        release();
      }
    },
  };
};
