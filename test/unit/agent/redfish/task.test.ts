import test from 'ava';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import type { Answer, Call } from '../../../../services/agent/drivers/redfish/exchange.ts';
import { finished } from '../../../../services/agent/drivers/redfish/task.ts';
import { manualClock } from '../../../support/manual-clock.ts';

const answer = (status: number, body?: unknown, headers: Record<string, string> = {}): Answer => ({
  ...{ status, headers, body, text: '' },
});
const task = (TaskState: string, Messages: readonly object[] = []) => ({
  ...{ '@odata.type': '#Task.v1_7_0.Task', TaskState, Messages },
});

const CALL: Call = { method: 'POST', link: '/redfish/v1/Systems/1/Actions/ComputerSystem.Reset' };
const TAKEN = answer(202, task('New'), { location: '/redfish/v1/monitor/7' });

const polling = (answers: readonly Answer[]) => {
  const clock = manualClock();
  const asked: string[] = [];
  const send = async ({ link }: Call) => {
    asked.push(link);
    return answers[Math.min(asked.length, answers.length) - 1] ?? answer(500);
  };
  const signal = new AbortController();
  const run = (first: Answer) =>
    finished({ clock, send }, { call: CALL, answer: first }, signal.signal);
  return { clock, asked, run, signal };
};

test('what is no task is over', async (t) => {
  const { run, asked } = polling([]);
  t.is((await run(answer(204))).status, 204);
  t.deepEqual(asked, []);
});

test('a monitor is asked until it no longer answers 202', async (t) => {
  const running = answer(202, task('Running'));
  const { clock, run, asked } = polling([running, running, answer(204)]);
  const waiting = run(TAKEN);
  await clock.advance(60_000);
  t.is((await waiting).status, 204);
  t.deepEqual(
    asked,
    Array.from({ length: 3 }, () => '/redfish/v1/monitor/7'),
  );
});

test('a service that answers with the task all the while is waited for', async (t) => {
  const { clock, run, asked } = polling([
    answer(200, task('Running')),
    answer(200, task('Completed')),
  ]);
  const waiting = run(TAKEN);
  await clock.advance(60_000);
  await waiting;
  t.is(asked.length, 2);
});

test('a task that failed says why', async (t) => {
  const { clock, run } = polling([answer(200, task('Exception', [{ Message: 'No medium.' }]))]);
  const refused = t.throwsAsync(run(TAKEN), { instanceOf: BmcError });
  await clock.advance(60_000);
  const error = await refused;
  t.is(error?.fault, 'refused');
  t.deepEqual(error?.said, ['No medium.']);
});

test('a monitor that is gone was a task that is over', async (t) => {
  const { clock, run } = polling([answer(404)]);
  const waiting = run(TAKEN);
  await clock.advance(60_000);
  t.is((await waiting).status, 204);
});

test('a task that has no end is told when the signal ends', async (t) => {
  const { clock, run, signal } = polling([answer(202, task('Running'))]);
  const refused = t.throwsAsync(run(TAKEN), { instanceOf: BmcError });
  await clock.advance(60_000);
  signal.abort();
  t.is((await refused)?.fault, 'timeout');
});

test('the pause that the service asks for is kept', async (t) => {
  const later = answer(202, task('Running'), { 'retry-after': '3' });
  const first = answer(202, undefined, { location: '/redfish/v1/monitor/7', 'retry-after': '3' });
  const { clock, run, asked } = polling([later, answer(204)]);
  const waiting = run(first);
  await clock.advance(2_900);
  t.is(asked.length, 0);
  await clock.advance(200);
  t.is(asked.length, 1);
  await clock.advance(3_000);
  await waiting;
});
