import { Readable } from 'node:stream';
import test from 'ava';
import { ConsoleService } from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import type { Stdin } from '../../../services/cli/command.ts';
import { machineConsole } from '../../../services/cli/commands/machine/console.ts';
import { callCommand } from './call-command.ts';

/** What the command says when its input is that; the machine closes the console once it ended. */
const attached = async (input: string, isTTY: boolean) => {
  const typed: string[] = [];
  const stdin: Stdin = Object.assign(Readable.from(input === '' ? [] : [Buffer.from(input)]), {
    isTTY,
    setRawMode: () => undefined,
  });
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
    stdin,
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
