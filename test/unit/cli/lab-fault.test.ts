import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { fault } from '../../../services/cli/commands/lab/fault.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { callCommand } from './call-command.ts';

test('a fault is told to people as a remark and to programs as a document', async (t) => {
  using dir = temporaryDir();
  const labSocket = join(dir.path, 'lab.sock');
  const lab = createServer((socket) => {
    socket.on('data', () => socket.end('{"kind":"done"}\n'));
  });
  lab.listen(labSocket);
  await once(lab, 'listening');
  t.teardown(() => lab.close());
  const settings = {
    ...{ endpoint: 'https://127.0.0.1:1', caPem: undefined, token: undefined },
    ...{ partition: 'lab', project: 'red', profile: 'test', labSocket },
  };
  const say = (...argv: string[]) =>
    callCommand(fault, ['r1u2', 'hang', ...argv], undefined, { settings });
  const people = await say();
  t.is(people.stdout, '');
  t.regex(people.stderr, /r1u2 takes requests and never answers from now on/);
  const program = await say('--json');
  t.deepEqual(JSON.parse(program.stdout), { server: 'r1u2', fault: 'hang' });
});
