import type { Clock } from '../../../runtime/clock.ts';
import { BmcError } from '../../bmc-port.ts';
import type { Answer, Call } from './exchange.ts';
import { failureOf, saidIn } from './messages.ts';
import { linkAt, listAt, textAt } from './resource.ts';

/**
 * Work that a service goes on with after its answer (DSP0266, asynchronous operations): 202 and a
 * task monitor, which answers 202 until the work is over and then as the call itself would have.
 * Some answer 200 with the task itself all the while, so its state counts too.
 */

type Deps = {
  readonly clock: Clock;
  readonly send: (call: Call, signal: AbortSignal) => Promise<Answer>;
};

const PAUSE_MS_FIRST = 500;
const PAUSE_MS_MAX = 5_000;
const POLLS_MAX = 1_000;

/** The last answer; what did not end well throws with the task's own words. */
export const finished = async (
  { clock, send }: Deps,
  { call, answer }: { readonly call: Call; readonly answer: Answer },
  signal: AbortSignal,
): Promise<Answer> => {
  const monitor = answer.status === 202 ? monitorOf(answer) : '';
  if (monitor === '') return answer;
  let last = answer;
  let pauseMs = PAUSE_MS_FIRST;
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    await pause(clock, askedPauseMs(last) ?? pauseMs, { call, signal });
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    last = await send({ method: 'GET', link: monitor }, signal);
    // A monitor that is gone was read before: its work is over (DSP0266 lets it go then).
    if (last.status === 404 || last.status === 410)
      return { ...last, status: 204, body: undefined };
    if (last.status >= 400) throw failureOf({ ...call, status: last.status, body: last.body });
    if (isOver(last)) return checked(call, last);
  }
  throw new BmcError('timeout', `${call.method} ${call.link} goes on as ${monitor} without an end`);
};

const monitorOf = ({ headers, body }: Answer): string =>
  headers.location || linkAt(body, 'TaskMonitor') || linkAt(body, '@odata.id');

/** Retry-After in seconds; a date is not followed, the clock there is rarely right. */
const askedPauseMs = ({ headers }: Answer): number | undefined => {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0) * 1000, PAUSE_MS_MAX) : undefined;
};

type Waiting = { readonly call: Call; readonly signal: AbortSignal };

const pause = async (clock: Clock, ms: number, { call, signal }: Waiting): Promise<void> => {
  try {
    await clock.sleep(ms, signal);
  } catch (cause) {
    const words = `${call.method} ${call.link} was taken and its task had not ended in time`;
    throw new BmcError('timeout', words, [], cause);
  }
};

const RUNNING = new Set([
  ...['New', 'Starting', 'Running', 'Pending', 'Stopping', 'Suspended', 'Interrupted', 'Service'],
  ...['Cancelling'],
]);
const FAILED = new Set(['Exception', 'Killed', 'Cancelled']);

const stateOf = ({ body }: Answer): string =>
  textAt(body, '@odata.type').startsWith('#Task.') ? textAt(body, 'TaskState') : '';

const isOver = (answer: Answer): boolean => answer.status !== 202 && !RUNNING.has(stateOf(answer));

const checked = (call: Call, answer: Answer): Answer => {
  const state = stateOf(answer);
  if (!FAILED.has(state)) return answer;
  const said = saidIn({ '@Message.ExtendedInfo': listAt(answer.body, 'Messages') });
  const words = said.length === 0 ? '' : `: ${said.join(' ')}`;
  const what = `${call.method} ${call.link} ended as ${state}${words}`;
  throw new BmcError('refused', what, said);
};
