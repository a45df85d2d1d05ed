import { Readable } from 'node:stream';
import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { ConsoleService } from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import type { Stdin } from '../../../services/cli/command.ts';
import { machineConsole } from '../../../services/cli/commands/machine/console.ts';
import { eventually } from '../../support/eventually.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { callCommand } from './call-command.ts';

const stdinOf = (input: string, isTTY: boolean): Stdin =>
  Object.assign(Readable.from(input === '' ? [] : [Buffer.from(input)]), {
    isTTY,
    setRawMode: () => undefined,
  });

/** What the command says when its input is that; the machine closes the console once it ended. */
const attached = async (input: string, isTTY: boolean) => {
  const typed: string[] = [];
  const { code, stderr } = await callCommand(
    machineConsole,
    ['web-1'],
    (router) => {
      router.service(ConsoleService, {
        attachConsole: async function* (requests) {
          yield { content: { case: 'opened', value: {} } };
          for await (const { content } of requests) {
            if (content.case !== 'data') continue;
            typed.push(Buffer.from(content.value).toString());
            break;
          }
          yield { content: { case: 'closed', value: 'the machine is off' } };
        },
      });
    },
    { stdin: stdinOf(input, isTTY) },
  );
  return { code, stderr, typed };
};

test('a console says how it is left, on a terminal and off it', async (t) => {
  const off = await attached('reboot\n', false);
  t.deepEqual([off.code, off.typed], [0, ['reboot\n']]);
  t.regex(off.stderr, /connected to web-1; ctrl-c leaves/);
  t.regex(off.stderr, /console closed: the machine is off/);
  const on = await attached('reboot\r', true);
  t.regex(on.stderr, /connected to web-1; ctrl-\] leaves/);
});

test('off a terminal ctrl-] is sent as it is', async (t) => {
  t.deepEqual((await attached('\u001d', false)).typed, ['\u001d']);
});

const readAll = async (requests: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of requests);
};

/** A console that goes on for ever. */
const endless = (router: ConnectRouter) => {
  router.service(ConsoleService, {
    attachConsole: async function* (requests, { signal }) {
      readAll(requests).catch(() => undefined);
      yield { content: { case: 'opened', value: {} } };
      yield { content: { case: 'data', value: Buffer.from('login: ') } };
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  });
};

test('a console without input is left after a while', async (t) => {
  const clock = manualClock();
  const more = { stdin: stdinOf('', false), clock };
  let isOver = false;
  const running = callCommand(machineConsole, ['web-1', '--linger', '1m'], endless, more);
  running.finally(() => {
    isOver = true;
  });
  await eventually(async () => {
    await clock.advance(60_000);
    return isOver;
  });
  const { code, stdout, stderr } = await running;
  t.deepEqual([code, stdout], [0, 'login: ']);
  t.regex(stderr, /the input has ended; leaves in 1 min \(--linger\), --read-only stays/);
  t.regex(stderr, /left the console; the machine goes on/);
});

test('who only watches stays without input', async (t) => {
  const clock = manualClock();
  const more = { stdin: stdinOf('', false), clock };
  let shown = '';
  const closing = Promise.withResolvers<void>();
  const running = callCommand(
    machineConsole,
    ['web-1', '--read-only', '--linger', '0'],
    (router) => {
      router.service(ConsoleService, {
        attachConsole: async function* () {
          yield { content: { case: 'opened', value: {} } };
          shown = 'opened';
          await closing.promise;
          yield { content: { case: 'closed', value: 'the machine is off' } };
        },
      });
    },
    more,
  );
  await eventually(() => shown === 'opened');
  await clock.advance(3_600_000);
  closing.resolve();
  const { code, stderr } = await running;
  t.is(code, 0);
  t.regex(stderr, /console closed: the machine is off/);
});
