import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ControlRequest, LabStatus } from '../../deploy/lab/control-protocol.ts';
import { openControlSocket } from '../../deploy/lab/control-socket.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { collect, createRunm } from '../support/runm.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const STATUS: LabStatus = {
  ...{ site: 's', rack: 'r1', machines: 'simulated', why: 'qemu is missing' },
  powerFeeds: [],
  servers: [
    {
      ...{ name: 'r1u1', unit: 1, power: 'off', fault: 'hang', ipmi: '127.77.1.1:623' },
      redfish: 'https://127.77.1.1:443',
      ...{ powerFeeds: [], bmc: 'redfish', nics: [], bmcMac: '52:54:00:00:00:01' },
      credentialsFile: '/state/credentials.json',
    },
  ],
};

const withSocket = async (t: ExecutionContext) => {
  const dir = temporaryDir();
  const path = join(dir.path, 'lab.sock');
  const asked: ControlRequest[] = [];
  const control = await openControlSocket({
    ...{ path, clock },
    answer: (request) => {
      asked.push(request);
      if (request.verb === 'status') return { kind: 'status', status: STATUS };
      if (request.server !== 'r1u1') throw new Error(`no server "${request.server}"`);
      return { kind: 'done' };
    },
  });
  t.teardown(async () => {
    await control.close();
    dir[Symbol.dispose]();
  });
  const env = { ...process.env, RUNM_CONFIG: join(dir.path, 'none'), RUNM_LAB_SOCKET: path };
  return { path, asked, ...createRunm(env) };
};

const exchange = async (path: string, text: string): Promise<string> => {
  const socket = connect({ path });
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return heard;
};

test('runm shows the lab and sets faults through its socket', async (t) => {
  const { runm, asked, path } = await withSocket(t);
  t.is(statSync(path).mode & 0o777, 0o600);
  const shown = await runm('lab', 'status');
  t.is(shown.code, 0, shown.stderr);
  t.is(
    shown.stdout,
    'NAME  POWER  REDFISH                 IPMI            FAULT  CREDENTIALS\n' +
      'r1u1  off    https://127.77.1.1:443  127.77.1.1:623  hang   /state/credentials.json\n',
  );
  t.regex(shown.stderr, /rack r1: servers are simulated: qemu is missing/);
  t.deepEqual(JSON.parse((await runm('lab', 'status', '--json')).stdout), STATUS);
  t.is((await runm('lab', 'status', '--quiet')).stdout, 'r1u1\n');
  const set = await runm('lab', 'fault', 'r1u1', 'lost-write');
  t.is(set.code, 0);
  t.regex(set.stderr, /the controller of r1u1 says yes and does nothing from now on/);
  t.is((await runm('lab', 'fault', 'r1u1', 'none')).code, 0);
  t.deepEqual(
    asked.filter(({ verb }) => verb === 'fault'),
    [
      { verb: 'fault', server: 'r1u1', fault: 'lost-write' },
      { verb: 'fault', server: 'r1u1', fault: 'none' },
    ],
  );
  const foreign = await runm('lab', 'fault', 'r9u9', 'slow');
  t.is(foreign.code, 3);
  t.regex(foreign.stderr, /no server "r9u9"/);
  const unknown = await runm('lab', 'fault', 'r1u1', 'sleepy');
  t.is(unknown.code, 2);
  t.regex(unknown.stderr, /there is no fault "sleepy"\s+slow, lie, hang, 503/);
});

const CLEAN = join(import.meta.dirname, '../../deploy/lab/clean.ts');

test('a cleaning wipes the server that it names, and fails where the lab says no', async (t) => {
  const { path, asked } = await withSocket(t);
  const clean = async (input: string) => {
    const child = spawn(process.execPath, [CLEAN, path]);
    child.stdin.write(input);
    return collect(child);
  };
  const order = (id: string) =>
    JSON.stringify({ cleaning: 'c', provider: { name: `partitions/lab/providers/${id}` } });
  const done = await clean(order('r1u1'));
  t.is(done.code, 0, done.stderr);
  t.deepEqual(asked, [{ verb: 'wipe', server: 'r1u1' }]);
  const foreign = await clean(order('r9u9'));
  t.is(foreign.code, 1);
  t.regex(foreign.stderr, /did not wipe r9u9: no server "r9u9"/);
  t.is((await clean('{}')).code, 1);
  t.is((await clean('no JSON')).code, 1);
  t.is(asked.length, 2);
});

test('runm says when there is no lab', async (t) => {
  const { path } = await withSocket(t);
  using dir = temporaryDir();
  const env = { ...process.env, RUNM_CONFIG: join(dir.path, 'none') };
  const none = await createRunm(env).runm('lab', 'status');
  t.is(none.code, 2);
  t.regex(none.stderr, /names no lab on this machine/);
  const gone = await createRunm({ ...env, RUNM_LAB_SOCKET: `${path}.gone` }).runm('lab', 'status');
  t.is(gone.code, 8);
  t.regex(gone.stderr, /the lab does not run: nobody listens/);
});

const refused = test.macro({
  exec: async (t, text: string, expected: RegExp) => {
    const { path, asked } = await withSocket(t);
    t.regex(await exchange(path, text), expected);
    t.deepEqual(asked, []);
  },
  title: (_, text: string) => `the control socket refuses ${text.trim().slice(0, 40)}`,
});

test(refused, 'no JSON\n', /"kind":"error"/);
test(refused, '5\n', /has no \\"verb\\"/);
test(refused, '{"verb":"burn"}\n', /\\"verb\\" is n(?:either|one of) \\"status\\"/);
test(refused, '{"verb":"fault","server":5}\n', /\\"server\\" is missing/);
test(refused, '{"verb":"fault","server":"r1u1","fault":"burn"}\n', /is none of slow/);
test(refused, `${'x'.repeat(5_000)}`, /too long/);
