export type Patience = {
  /** Give up after this long, in milliseconds: long, as only what fails waits for it. */
  readonly limitMs?: number;
  /** What was waited for; part of the error. */
  readonly message?: string;
};

const PAUSE_MS = 10;

/**
 * Calls `probe` until it gives something truthy without throwing, and gives that. Fails after the
 * limit with the last error, so that a test says what was missing instead of timing out.
 */
export const eventually = async <T>(
  probe: () => T | Promise<T>,
  { limitMs = 60_000, message = 'the condition' }: Patience = {},
): Promise<NonNullable<T>> => {
  const endMs = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
      last = new Error(`it was ${String(found)}`);
    } catch (error) {
      last = error;
    }
    if (performance.now() > endMs)
      throw new Error(`${message} did not happen within ${limitMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
};
