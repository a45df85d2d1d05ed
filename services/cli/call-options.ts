import type { CallOptions } from '@connectrpc/connect';
import type { Context } from './command.ts';

/** Every call has a deadline and ends with Ctrl-C. */
export const callOptions = (context: Context, timeoutMs = 30_000): CallOptions => ({
  signal: context.signal,
  timeoutMs,
});
