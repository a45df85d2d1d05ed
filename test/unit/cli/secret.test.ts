import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import {
  type CreateSecretRequest,
  SecretService,
} from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import type { Stdin } from '../../../services/cli/command.ts';
import { create, list, update } from '../../../services/cli/commands/secret.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { callCommand } from './call-command.ts';

const stdinOf = (text: string, isTTY = false): Stdin => {
  const modes: boolean[] = [];
  const stream = new PassThrough();
  if (isTTY) stream.write(text);
  else stream.end(text);
  return Object.assign(stream, { isTTY, setRawMode: (raw: boolean) => modes.push(raw) });
};

const recording = () => {
  const seen: CreateSecretRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(SecretService, {
      createSecret: (request) => {
        seen.push(request);
        return { secret: { name: `${request.parent}/secrets/${request.secretId}` } };
      },
      getSecret: ({ name }) => ({ secret: { name, keys: ['password', 'user'] } }),
      updateSecret: ({ name, data }) => ({ secret: { name, keys: Object.keys(data).toSorted() } }),
      listSecrets: ({ parent }) => ({
        secrets: [{ name: `${parent}/secrets/bmc`, keys: ['password', 'user'] }],
      }),
    });
  };
  return { seen, routes };
};

test('values are read from standard input, a line each', async (t) => {
  const { seen, routes } = recording();
  const called = await callCommand(create, ['bmc'], routes, {
    stdin: stdinOf('root\nhunter2\n'),
  });
  t.is(called.code, 0, called.stderr);
  t.like(seen[0], { parent: 'projects/red', data: { user: 'root', password: 'hunter2' } });
  t.false(`${called.stdout}${called.stderr}`.includes('hunter2'));
});

test('values are asked for one after the other on a terminal, where a key may be taken back', async (t) => {
  const { seen, routes } = recording();
  const stdin = stdinOf('', true);
  const running = callCommand(create, ['bmc', '--key', 'pin'], routes, { stdin });
  if (stdin instanceof PassThrough) stdin.write('12x\u007f34\r');
  const called = await running;
  t.is(called.code, 0, called.stderr);
  t.like(seen[0], { data: { pin: '1234' } });
});

test('values come from files, whole or one each', async (t) => {
  using dir = temporaryDir();
  const [map, key] = [join(dir.path, 'values.yaml'), join(dir.path, 'key')];
  writeFileSync(map, 'user: root\npassword: "0123"\n');
  writeFileSync(key, 'line one\nline two\n');
  const { seen, routes } = recording();
  await callCommand(create, ['a', '-f', map], routes);
  await callCommand(create, ['b', '--from-file', `key=${key}`], routes);
  t.deepEqual(
    seen.map((one) => ({ ...one.data })),
    [{ user: 'root', password: '0123' }, { key: 'line one\nline two' }],
  );
});

test('what is wrong is told without a value', async (t) => {
  using dir = temporaryDir();
  const map = join(dir.path, 'values.yaml');
  writeFileSync(map, 'password: 12345678\n');
  const { seen, routes } = recording();
  for (const [argv, text, pattern] of [
    [['x', '-f', map], '', /"password" is no text/],
    [['x'], 'only-one-line\n', /1 lines for 2 values/],
    [['x', '--from-file', '=a'], '', /KEY=PATH/],
    [['x', '--from-file', 'a=-', '--from-file', 'b=-'], 'v', /only one value/],
    [['x', '--from-file', `a=${map}`, '--from-file', `a=${map}`], '', /given twice/],
    [['x', '-f', map, '--key', 'a'], '', /excludes/],
  ] as const) {
    const called = await callCommand(create, argv, routes, { stdin: stdinOf(text) });
    t.is(called.code, 2);
    t.regex(called.stderr, pattern);
    t.false(/12345678|only-one-line/.test(called.stderr));
  }
  t.is(seen.length, 0);
});

test('a list shows names of values, of one project or of all', async (t) => {
  const { routes } = recording();
  t.regex((await callCommand(list, [], routes)).stdout, /bmc +red +password user/);
  t.regex((await callCommand(list, ['--all-projects'], routes)).stdout, /bmc/);
});

test('an update says which values it left out, and how to see whether the rest works', async (t) => {
  const { routes } = recording();
  const part = await callCommand(update, ['bmc', '--key', 'password'], routes, {
    stdin: stdinOf('next\n'),
  });
  t.is(part.code, 0, part.stderr);
  t.regex(part.stderr, /^gone from it, as all values are replaced: user$/m);
  t.notRegex(part.stderr, /next:/);
  const whole = await callCommand(update, ['bmc'], routes, { stdin: stdinOf('root\nnext\n') });
  t.is(whole.code, 0, whole.stderr);
  t.regex(whole.stderr, /^next: runm provider probe PROVIDER/m);
  t.notRegex(whole.stderr, /gone/);
});
