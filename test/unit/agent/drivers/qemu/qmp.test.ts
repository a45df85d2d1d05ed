import { join } from 'node:path';
import test from 'ava';
import { connectQmp, type QmpDial } from '../../../../../services/agent/drivers/qemu/qmp.ts';
import type { QmpEvent } from '../../../../../services/agent/drivers/qemu/qmp-codec.ts';
import { systemClock as clock } from '../../../../../services/runtime/clock.ts';
import { type FakeQmpBehaviour, fakeQmp } from '../../../../fakes/qmp-server.ts';
import { eventually } from '../../../../support/eventually.ts';
import { temporaryDir } from '../../../../support/temporary-dir.ts';

const setUp = async (behaviour?: FakeQmpBehaviour, dial: Partial<QmpDial> = {}) => {
  await using made = new AsyncDisposableStack();
  const path = join(made.use(temporaryDir()).path, 'qmp');
  const server = made.use(await fakeQmp(path, behaviour));
  const events: QmpEvent[] = [];
  const onEvent = (event: QmpEvent) => void events.push(event);
  const connect = async () => {
    const client = await connectQmp({ path, clock, limitMs: 60_000, onEvent, ...dial });
    stack.defer(() => client.close());
    return client;
  };
  const stack = made.move();
  return { server, events, connect, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

test('a client negotiates first and knows the version', async (t) => {
  await using it = await setUp();
  const client = await it.connect();
  t.is(client.version, '9.1.0');
  t.deepEqual(it.server.executed, ['qmp_capabilities']);
});

test('each command gets its own answer, whatever the order of asking', async (t) => {
  await using it = await setUp({ answer: (command) => ({ return: { said: command } }) });
  const client = await it.connect();
  const commands = Array.from({ length: 20 }, (_, i) => `command-${i}`);
  const answers = await Promise.all(commands.map((command) => client.execute(command)));
  t.deepEqual(
    answers,
    commands.map((said) => ({ said })),
  );
});

test('a refusal carries the reason that qemu gave', async (t) => {
  const error = { class: 'DeviceNotFound', desc: 'Device "x" not found' };
  await using it = await setUp({
    answer: (command) => (command === 'eject' ? { error } : { return: {} }),
  });
  const client = await it.connect();
  t.like(await t.throwsAsync(client.execute('eject')), {
    reason: 'QMP_REFUSED',
    message: 'qemu refused: Device "x" not found',
    metadata: { errorClass: 'DeviceNotFound' },
  });
});

test('events arrive in order, between answers too', async (t) => {
  await using it = await setUp();
  const client = await it.connect();
  it.server.send({ event: 'STOP' });
  await client.execute('query-status');
  it.server.send({ event: 'RESUME' });
  it.server.send({ event: 'SHUTDOWN', data: { reason: 'guest-reset' } });
  await eventually(() => it.events.length === 3);
  t.deepEqual(
    it.events.map((event) => event.name),
    ['STOP', 'RESUME', 'SHUTDOWN'],
  );
});

test('a server that does not greet is given up at the limit', async (t) => {
  await using it = await setUp({ greets: false }, { limitMs: 50 });
  t.like(await t.throwsAsync(it.connect()), { kind: 'deadline_exceeded', reason: 'QMP_NO_ANSWER' });
});

test('nobody listening is told at once', async (t) => {
  await using it = await setUp({}, { path: '/nowhere/qmp' });
  t.like(await t.throwsAsync(it.connect()), { reason: 'QMP_CLOSED' });
});

const silentTo = (silent: string) => ({
  answer: (command: string) => (command === silent ? null : { return: {} }),
});

test('a command without an answer ends at its limit, and the next one works', async (t) => {
  await using it = await setUp(silentTo('hang'));
  const client = await it.connect();
  t.like(await t.throwsAsync(client.execute('hang', { limitMs: 30 })), { reason: 'QMP_NO_ANSWER' });
  t.deepEqual(await client.execute('fine'), {});
});

test('a caller can give up', async (t) => {
  await using it = await setUp(silentTo('hang'));
  const client = await it.connect();
  const giveUp = new AbortController();
  const waiting = client.execute('hang', { signal: giveUp.signal });
  giveUp.abort(new Error('changed my mind'));
  await t.throwsAsync(waiting, { message: 'changed my mind' });
});

test('a lost connection ends what waits, and everything after', async (t) => {
  await using it = await setUp(silentTo('hang'));
  const client = await it.connect();
  const waiting = client.execute('hang');
  await eventually(() => it.server.executed.includes('hang'));
  it.server.dropClients();
  t.like(await t.throwsAsync(waiting), { reason: 'QMP_CLOSED' });
  await client.closed;
  t.like(await t.throwsAsync(client.execute('fine')), { reason: 'QMP_CLOSED' });
});

test('nonsense ends the connection', async (t) => {
  await using it = await setUp(silentTo('hang'));
  const client = await it.connect();
  const waiting = client.execute('hang');
  it.server.send('nonsense\n');
  const error = await t.throwsAsync(waiting);
  t.like(error, { reason: 'QMP_CLOSED', cause: { reason: 'QMP_MALFORMED' } });
});

test('no more than 64 commands wait', async (t) => {
  await using it = await setUp(silentTo('hang'));
  const client = await it.connect();
  const waiting = Array.from({ length: 64 }, () => client.execute('hang'));
  t.like(await t.throwsAsync(client.execute('hang')), { reason: 'QMP_BUSY' });
  client.close();
  t.is(
    (await Promise.allSettled(waiting)).filter(({ status }) => status === 'rejected').length,
    64,
  );
});
