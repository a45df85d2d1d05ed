import { writeFileSync } from 'node:fs';
import { join as joined } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import {
  ConsoleService,
  type IssueConsoleTokenRequest,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import type { Stdin } from '../../../services/cli/command.ts';
import { join } from '../../../services/cli/commands/machine/join.ts';
import { share } from '../../../services/cli/commands/machine/share.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { callCommand } from './call-command.ts';

const TOKEN = 'rct_0123';

test('a token is printed alone, and how it is used beside it', async (t) => {
  const asked: IssueConsoleTokenRequest[] = [];
  const argv = ['web-1', '--for', '30m', '--read-only'];
  const { stdout, stderr } = await callCommand(share, argv, (router) => {
    router.service(ConsoleService, {
      issueConsoleToken: (request) => {
        asked.push(request);
        return { token: TOKEN, expireTime: { seconds: 1_800_000_000n } };
      },
    });
  });
  t.is(stdout.trim(), TOKEN);
  t.regex(stderr, /opens the console of web-1 with runm machine join, until 20/);
  t.is(asked[0]?.lifetime?.seconds, 1800n);
  t.true(asked[0]?.readOnly);
});

test('whoever has the token types at the console, and the token is no argument', async (t) => {
  using dir = temporaryDir();
  const path = joined(dir.path, 'token');
  writeFileSync(path, `${TOKEN}\n`);
  const typed: string[] = [];
  const wasTyped = Promise.withResolvers<void>();
  const stdin: Stdin = Object.assign(Readable.from([Buffer.from('ls')]), {
    isTTY: false,
    setRawMode: () => undefined,
  });
  const { code, stdout, stderr } = await callCommand(
    join,
    ['--token-file', path],
    (router) => {
      router.service(ConsoleService, {
        watchConsoleByToken: async function* ({ token }) {
          const opened = { sessionId: token };
          yield { content: { content: { case: 'opened', value: opened } } };
          await wasTyped.promise;
          yield { content: { content: { case: 'data', value: Buffer.from('LS') } } };
          yield { content: { content: { case: 'closed', value: 'it is off' } } };
        },
        writeConsoleByToken: ({ token, sessionId, data }) => {
          typed.push(`${token} ${sessionId} ${Buffer.from(data)}`);
          wasTyped.resolve();
          return {};
        },
      });
    },
    { stdin },
  );
  t.deepEqual([code, stdout], [0, 'LS']);
  t.deepEqual(typed, [`${TOKEN} ${TOKEN} ls`]);
  t.regex(stderr, /console closed: it is off/);
});

test('without a terminal and a file the join says what to give', async (t) => {
  const stdin: Stdin = Object.assign(Readable.from([]), {
    isTTY: false,
    setRawMode: () => undefined,
  });
  const { code, stderr } = await callCommand(join, [], () => undefined, { stdin });
  t.is(code, 2);
  t.regex(stderr, /no terminal to ask for the token on\n +see --token-file/);
});
