/** Whoever subscribes at a controller of the lab hears what happens to its server. */
import { request } from 'node:https';
import test, { type ExecutionContext } from 'ava';
import { OUTBOX_MAX } from '../../deploy/lab/redfish/events/outbox.ts';
import { type EventListener, eventListener } from '../support/event-listener.ts';
import { eventually } from '../support/eventually.ts';
import { askRedfish } from '../support/redfish-asking.ts';
import {
  type RedfishLab,
  type RedfishLabOptions,
  redfishLab,
  USER,
} from '../support/redfish-lab.ts';
import { EVENT } from '../support/redfish-lookup-shapes.ts';
import { faultsIn } from '../support/redfish-shape.ts';

const SERVICE = '/redfish/v1/EventService';
const SUBSCRIPTIONS = `${SERVICE}/Subscriptions`;
const SYSTEM = '/redfish/v1/Systems/1';
const RESET = `${SYSTEM}/Actions/ComputerSystem.Reset`;
const SUBMIT = `${SERVICE}/Actions/EventService.SubmitTestEvent`;

const listening = async (t: ExecutionContext<unknown>, lab?: RedfishLab) => {
  const listener = await eventListener(lab?.certificate);
  t.teardown(() => listener[Symbol.asyncDispose]());
  return listener;
};

/** Answers where the subscription is. */
const subscribe = async (lab: RedfishLab, listener: EventListener, more: object = {}) => {
  const body = { Destination: `${listener.url}/hook?a=1`, Protocol: 'Redfish', ...more };
  const { status, headers } = await askRedfish(lab, SUBSCRIPTIONS, { method: 'POST', body });
  if (status !== 201) throw new Error(`subscribing was answered with ${status}`);
  return String(headers.location);
};

const setUp = async (
  t: ExecutionContext<unknown>,
  { options = {}, more = {} }: { options?: RedfishLabOptions; more?: object } = {},
) => {
  const lab = await redfishLab(t, options);
  const listener = await listening(t);
  return { lab, listener, at: await subscribe(lab, listener, more) };
};

const patch = (lab: RedfishLab, path: string, body: object) =>
  askRedfish(lab, path, { method: 'PATCH', body });

const post = (lab: RedfishLab, path: string, body: object = {}) =>
  askRedfish(lab, path, { method: 'POST', body });

const log = (lab: RedfishLab, message: string): void =>
  lab.server.addLog({ severity: 'warning', message });

test('what happens to a server is told, and each message is in a registry that is shown', async (t) => {
  const { lab, listener } = await setUp(t, {
    options: { personality: { resetByTask: true } },
    more: { Context: 'rack one' },
  });
  const drive = '/redfish/v1/Managers/bmc/VirtualMedia/Cd1';
  await post(lab, RESET, { ResetType: 'On' });
  await eventually(() => listener.names().includes('ResourcePoweredOn'));
  await post(lab, `${drive}/Actions/VirtualMedia.InsertMedia`, { Image: 'http://127.0.0.1/a.iso' });
  await patch(lab, SYSTEM, { Boot: { BootSourceOverrideTarget: 'Pxe' } });
  const [name] = lab.server.bios().keys();
  await patch(lab, `${SYSTEM}/Bios/Settings`, {
    Attributes: { [String(name)]: lab.server.bios().get(String(name)) },
  });
  log(lab, 'it is warm');
  const last = await eventually(() =>
    listener.heard.find(({ record }) => record.Message === 'it is warm'),
  );
  t.like(last.record, { EventType: 'Alert', Severity: 'Warning', MessageSeverity: 'Warning' });
  const names = listener.names();
  const order = ['TaskStarted', 'ResourcePoweringOn', 'TaskCompletedOK', 'ResourcePoweredOn'];
  for (const one of order) t.true(names.includes(one), one);
  t.true(names.indexOf('ResourcePoweringOn') < names.indexOf('ResourcePoweredOn'));
  const origins = listener.heard.map(({ record }) =>
    String(Object(record.OriginOfCondition)['@odata.id']),
  );
  for (const origin of [SYSTEM, drive, `${SYSTEM}/Bios`]) t.true(origins.includes(origin), origin);
  for (const origin of new Set(origins)) t.is((await askRedfish(lab, origin)).status, 200, origin);
  for (const { body, method, path, headers } of listener.heard) {
    t.deepEqual(faultsIn(body, EVENT), []);
    t.like(body, { Context: 'rack one', '@odata.type': '#Event.v1_7_0.Event' });
    t.deepEqual([method, path], ['POST', '/hook?a=1']);
    t.regex(String(headers['content-type']), /^application\/json/);
  }
  const ids = listener.heard.map(({ record }) => Number(record.EventId));
  t.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  t.is(new Set(ids).size, ids.length);
  await allAreRegistered(t, lab, listener);
});

const allAreRegistered = async (
  t: ExecutionContext<unknown>,
  lab: RedfishLab,
  { heard }: EventListener,
): Promise<void> => {
  for (const { record } of heard) {
    const [prefix, major, minor, name] = String(record.MessageId).split('.');
    const file = (await askRedfish(lab, `/redfish/v1/Registries/${prefix}`)).body;
    t.is(file.Registry, `${prefix}.${major}.${minor}`);
    const { body } = await askRedfish(lab, Object(file.Location)[0].Uri);
    const entry = Object(body.Messages)[String(name)];
    t.is(entry.NumberOfArgs, Object(record.MessageArgs).length, String(record.MessageId));
  }
};

const chooses = test.macro({
  exec: async (t: ExecutionContext<unknown>, more: object, expected: readonly string[]) => {
    const { lab, listener } = await setUp(t, { more });
    lab.server.setMedia('http://127.0.0.1/a.iso');
    lab.server.setBoot({ device: 'network', persistent: true, mode: 'uefi' });
    log(lab, 'it is warm');
    // What comes last for everybody shows that there was nothing else.
    await post(lab, SUBMIT, {
      MessageId: 'ResourceEvent.1.3.TestMessage',
      OriginOfCondition: SYSTEM,
    });
    const last = expected.at(-1);
    await eventually(
      () => listener.names().at(-1) === last && listener.heard.length >= expected.length,
    );
    t.deepEqual(listener.names(), expected);
  },
  title: (_, more) => `a subscriber hears what it asked for: ${JSON.stringify(more)}`,
});

const [CHANGED, CREATED, TEST] = ['ResourceChanged', 'ResourceCreated', 'TestMessage'];
test(chooses, {}, [CHANGED, CHANGED, CREATED, TEST]);
test(chooses, { EventTypes: ['Alert'] }, [CREATED, TEST]);
test(chooses, { EventTypes: ['Other'] }, [CHANGED, CHANGED, CREATED, TEST]);
test(chooses, { RegistryPrefixes: ['ResourceEvent'] }, [CHANGED, CHANGED, CREATED, TEST]);
test(chooses, { RegistryPrefixes: ['TaskEvent'], MessageIds: ['ResourceEvent.TestMessage'] }, [
  TEST,
]);
test(chooses, { MessageIds: ['ResourceEvent.1.3.ResourceCreated'] }, [CREATED]);
test(chooses, { ResourceTypes: ['VirtualMedia'] }, [CHANGED]);
test(chooses, { OriginResources: [{ '@odata.id': SYSTEM }] }, [CHANGED, TEST]);
test(chooses, { OriginResources: [{ '@odata.id': `${SYSTEM}/` }], SubordinateResources: true }, [
  CHANGED,
  CREATED,
  TEST,
]);

const refused = test.macro({
  exec: async (t: ExecutionContext<unknown>, wrong: object) => {
    const lab = await redfishLab(t);
    const right = { Destination: 'https://127.0.0.1/events', Protocol: 'Redfish' };
    t.is((await post(lab, SUBSCRIPTIONS, { ...right, ...wrong })).status, 400);
    t.deepEqual((await askRedfish(lab, SUBSCRIPTIONS)).body.Members, []);
  },
  title: (_, wrong) => `a subscription is refused with ${JSON.stringify(wrong)}`,
});

for (const wrong of [
  { Protocol: 'SNMPv2c' },
  { Destination: 'ftp://127.0.0.1/' },
  { EventFormatType: 'MetricReport' },
  { RegistryPrefixes: ['Moon'] },
  { ResourceTypes: ['Chassis.v1_2_0.Chassis'] },
  { EventTypes: 'Alert' },
  { OriginResources: [SYSTEM] },
  { HttpHeaders: ['X-Trace'] },
  { HttpHeaders: [{ 'X-Split': 'a\r\nHost: b' }] },
  { DeliveryRetryPolicy: 'Never' },
]) {
  test(refused, wrong);
}

test('headers of a subscription are sent and not shown', async (t) => {
  const { lab, listener, at } = await setUp(t, {
    more: { HttpHeaders: [{ Authorization: 'Bearer of-mine' }] },
  });
  t.deepEqual((await askRedfish(lab, at)).body.HttpHeaders, []);
  log(lab, 'one');
  await eventually(() => listener.heard.length === 1);
  t.is(listener.heard[0]?.headers.authorization, 'Bearer of-mine');
  t.is((await patch(lab, at, { HttpHeaders: [], Context: 'later' })).status, 204);
  log(lab, 'two');
  await eventually(() => listener.heard.length === 2);
  t.is(listener.heard[1]?.headers.authorization, undefined);
  t.is(listener.heard[1]?.body.Context, 'later');
});

test('headers of a subscription may be one object, as gofish sends them', async (t) => {
  const { lab, listener } = await setUp(t, {
    more: { HttpHeaders: { 'X-Trace': '1', 'X-Rack': 'one' }, EventTypes: [] },
  });
  log(lab, 'one');
  const heard = await eventually(() => listener.heard[0]);
  t.like(heard.headers, { 'x-trace': '1', 'x-rack': 'one' });
});

test('events go over TLS, and a certificate is looked at where that was asked for', async (t) => {
  const lab = await redfishLab(t);
  const listener = await listening(t, lab);
  await patch(lab, SERVICE, { DeliveryRetryAttempts: 0 });
  await subscribe(lab, listener);
  const careful = await subscribe(lab, listener, { VerifyCertificate: true, Context: 'careful' });
  log(lab, 'one');
  await eventually(() => listener.heard.length === 1);
  await eventually(async () => (await askRedfish(lab, careful)).status === 404);
  t.deepEqual(
    listener.heard.map(({ body }) => body.Context),
    [''],
  );
});

test('an event that is not taken is sent again, and then its subscription is ended', async (t) => {
  const { lab, listener, at } = await setUp(t);
  const settings = { DeliveryRetryAttempts: 1, DeliveryRetryIntervalSeconds: 1 };
  t.is((await patch(lab, SERVICE, settings)).status, 204);
  t.like((await askRedfish(lab, SERVICE)).body, settings);
  listener.answerWith(503);
  log(lab, 'one');
  await eventually(async () => (await askRedfish(lab, at)).status === 404);
  t.is(listener.heard.length, 2);
  t.is(listener.heard[0]?.record.EventId, listener.heard[1]?.record.EventId);
});

test('a subscription that was suspended goes on when it is told to', async (t) => {
  const more = { DeliveryRetryPolicy: 'SuspendRetries' };
  const { lab, listener, at } = await setUp(t, { more });
  await patch(lab, SERVICE, { DeliveryRetryAttempts: 0 });
  listener.answerWith(500);
  log(lab, 'one');
  const stateOf = async () => Object((await askRedfish(lab, at)).body.Status).State;
  await eventually(async () => (await stateOf()) === 'Disabled');
  listener.answerWith(200);
  log(lab, 'two');
  t.is((await post(lab, `${at}/Actions/EventDestination.ResumeSubscription`)).status, 204);
  t.is(await stateOf(), 'Enabled');
  log(lab, 'three');
  await eventually(() => listener.heard.length === 2);
  t.deepEqual(
    listener.heard.map(({ record }) => record.Message),
    ['one', 'three'],
  );
});

test('of what a subscriber cannot keep up with the oldest is forgotten', async (t) => {
  const { lab, listener } = await setUp(t, { more: { DeliveryRetryPolicy: 'RetryForever' } });
  await patch(lab, SERVICE, { DeliveryRetryAttempts: 0, DeliveryRetryIntervalSeconds: 1 });
  listener.answerWith(503);
  log(lab, 'first');
  await eventually(() => listener.heard.length === 1);
  for (let turn = 1; turn <= OUTBOX_MAX + 10; turn += 1) log(lab, `number ${turn}`);
  listener.answerWith(204);
  const last = `number ${OUTBOX_MAX + 10}`;
  await eventually(() => listener.heard.at(-1)?.record.Message === last);
  const told = [...new Set(listener.heard.map(({ record }) => record.Message))];
  t.deepEqual(told.slice(0, 2), ['first', 'number 11']);
  t.is(told.length, 1 + OUTBOX_MAX);
});

test('a subscriber that is no address of this host is not reached', async (t) => {
  const lab = await redfishLab(t);
  await patch(lab, SERVICE, { DeliveryRetryAttempts: 0 });
  const { headers } = await post(lab, SUBSCRIPTIONS, {
    ...{ Destination: 'http://192.0.2.1/events', Protocol: 'Redfish' },
  });
  log(lab, 'one');
  await eventually(async () => (await askRedfish(lab, String(headers.location))).status === 404);
  t.pass();
});

test('a test event is sent as it was asked for, without what is not right of it', async (t) => {
  const { lab, listener } = await setUp(t);
  t.is((await post(lab, SUBMIT, {})).status, 400);
  t.is((await post(lab, SUBMIT, { MessageId: 'no registry' })).status, 400);
  const right = {
    ...{
      MessageId: 'Contoso.1.0.0.TemperatureHigh',
      EventType: 'Alert',
      Severity: 'Informational',
    },
    ...{ Message: 'it is hot', MessageArgs: ['CPU1'], EventTimestamp: '2026-01-01T00:00:00Z' },
  };
  const asked = { ...right, EventGroupId: 'TESTING123', OriginOfCondition: SYSTEM, EventId: 'x' };
  t.is((await post(lab, SUBMIT, asked)).status, 204);
  const heard = await eventually(() => listener.heard[0]);
  t.like(heard.record, { ...right, OriginOfCondition: { '@odata.id': SYSTEM }, EventId: '1' });
  t.deepEqual(faultsIn(heard.body, EVENT), []);
});

test('a service that is off tells nothing', async (t) => {
  const { lab, listener } = await setUp(t);
  t.is((await patch(lab, SERVICE, { ServiceEnabled: false })).status, 204);
  log(lab, 'one');
  await patch(lab, SERVICE, { ServiceEnabled: true });
  log(lab, 'two');
  await eventually(() => listener.heard.length > 0);
  t.deepEqual(
    listener.heard.map(({ record }) => record.Message),
    ['two'],
  );
});

/** Listens at the stream of a controller. */
const streaming = async (t: ExecutionContext<unknown>, lab: RedfishLab) => {
  const { body } = await askRedfish(lab, SERVICE);
  const auth = `${USER.user}:${USER.password}`;
  const url = new URL(String(body.ServerSentEventUri), lab.http.url);
  const asking = request(url, { auth, rejectUnauthorized: false, agent: false });
  t.teardown(() => asking.destroy());
  const stream = { text: '', type: '', isOver: false, leave: () => asking.destroy() };
  asking.on('error', () => undefined);
  asking.once('response', (answer) => {
    stream.type = String(answer.headers['content-type']);
    answer.on('data', (part: Buffer) => {
      stream.text += part.toString();
    });
    answer.on('error', () => undefined);
    answer.once('close', () => {
      stream.isOver = true;
    });
  });
  asking.end();
  await eventually(() => stream.type !== '');
  return stream;
};

test('events go down a stream until either side ends it', async (t) => {
  const lab = await redfishLab(t);
  const membersOf = async () => Object((await askRedfish(lab, SUBSCRIPTIONS)).body.Members);
  const stream = await streaming(t, lab);
  t.regex(stream.type, /^text\/event-stream/);
  log(lab, 'down the stream');
  await eventually(() => stream.text.endsWith('\n\n'));
  const [, id, data] = /^id: (\d+)\ndata: (.*)\n\n$/.exec(stream.text) ?? [];
  t.is(id, '1');
  const body = JSON.parse(String(data));
  t.deepEqual(faultsIn(body, EVENT), []);
  t.is(body.Events[0].Message, 'down the stream');
  const [member] = await membersOf();
  const shown = (await askRedfish(lab, member['@odata.id'])).body;
  t.is(shown.SubscriptionType, 'SSE');
  t.regex(String(shown.Destination), /^redfish-sse:\/\/127\.0\.0\.1:\d+$/);
  await askRedfish(lab, member['@odata.id'], { method: 'DELETE' });
  await eventually(() => stream.isOver);
  const another = await streaming(t, lab);
  await eventually(async () => (await membersOf()).length === 1);
  another.leave();
  await eventually(async () => (await membersOf()).length === 0);
});
