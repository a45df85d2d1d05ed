import test from 'ava';
import { systemClock } from '../../../services/runtime/clock.ts';
import { type Component, runProcess, startComponents } from '../../../services/runtime/process.ts';
import { silentLog } from '../../support/silent-log.ts';

const deps = { log: silentLog, clock: systemClock };

const recorded = () => {
  const steps: string[] = [];
  const component = (name: string, more: Partial<Component> = {}): Component => ({
    name,
    start: async () => void steps.push(`start ${name}`),
    stop: async () => void steps.push(`stop ${name}`),
    ...more,
  });
  return { steps, component };
};

test('components start in order and stop in reverse', async (t) => {
  const { steps, component } = recorded();
  const running = await startComponents(
    deps,
    ['store', 'service', 'listeners'].map((n) => component(n)),
  );
  await running.stop();
  await running.stop();
  t.deepEqual(steps, [
    'start store',
    'start service',
    'start listeners',
    'stop listeners',
    'stop service',
    'stop store',
  ]);
});

test('when one cannot start, those before it are stopped and its error is told', async (t) => {
  const { steps, component } = recorded();
  const broken = component('b', { start: () => Promise.reject(new Error('no disk')) });
  await t.throwsAsync(startComponents(deps, [component('a'), broken, component('c')]), {
    message: 'no disk',
  });
  t.deepEqual(steps, ['start a', 'stop a']);
});

test('one that hangs while starting or fails while stopping does not hold the others', async (t) => {
  const { steps, component } = recorded();
  const slow = component('slow', { startLimitMs: 20, start: () => new Promise(() => undefined) });
  await t.throwsAsync(startComponents(deps, [component('a'), slow]), {
    message: /slow did not start within 0\.02 s/,
  });
  const bad = component('bad', { stop: () => Promise.reject(new Error('x')) });
  const running = await startComponents(deps, [component('b'), bad, component('c')]);
  await running.stop();
  t.deepEqual(steps, ['start a', 'stop a', 'start b', 'start bad', 'start c', 'stop c', 'stop b']);
});

test('a component is told when its time to stop is over', async (t) => {
  const { component } = recorded();
  let wasTold = false;
  const stubborn = component('stubborn', {
    stopLimitMs: 20,
    stop: (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          wasTold = true;
          resolve();
        });
      }),
  });
  await (await startComponents(deps, [stubborn])).stop();
  t.true(wasTold);
});

test.serial('a process ends with 0 when asked and with 1 when it cannot start', async (t) => {
  const { steps, component } = recorded();
  const end = new AbortController();
  const options = { components: [component('a')], onStarted: () => end.abort(), end: end.signal };
  t.is(await runProcess(deps, options), 0);
  t.deepEqual(steps, ['start a', 'stop a']);
  const broken = component('b', { start: () => Promise.reject(new Error('no')) });
  t.is(await runProcess(deps, { components: [broken] }), 1);
});
