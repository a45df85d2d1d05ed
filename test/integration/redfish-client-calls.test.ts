/**
 * What clients of others ask of any controller, in the order and spelling in which they ask it,
 * where the clients themselves are not at hand when tests run.
 */
import test from 'ava';
import { eventually } from '../support/eventually.ts';
import { askRedfish } from '../support/redfish-asking.ts';
import { redfishLab, USER } from '../support/redfish-lab.ts';

const ROOT = '/redfish/v1';
const SYSTEM = `${ROOT}/Systems/1`;

const patch = (body: object) => ({ method: 'PATCH', body });
const post = (body: object = {}) => ({ method: 'POST', body });

test('MAAS finds a system below slashes, sets it to boot by PXE with its ETag, and resets it', async (t) => {
  const lab = await redfishLab(t);
  const { body } = await askRedfish(lab, `${ROOT}/Systems/`);
  const [{ '@odata.id': found }] = Object(body.Members);
  const at = `${found}/`;
  const system = await askRedfish(lab, at);
  const boot = { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'Pxe' };
  const headers = { 'if-match': String(system.headers.etag) };
  t.is((await askRedfish(lab, at, { ...patch({ Boot: boot }), headers })).status, 204);
  t.is(lab.server.boot().device, 'network');
  const reset = `${at}Actions/ComputerSystem.Reset/`;
  t.is((await askRedfish(lab, reset, post({ ResetType: 'On' }))).status, 204);
  await eventually(() => lab.server.power() === 'on');
});

test('an operating system that a client asks to restart gracefully does', async (t) => {
  const lab = await redfishLab(t);
  await lab.server.changePower('on');
  await eventually(() => lab.server.power() === 'on');
  const reset = `${SYSTEM}/Actions/ComputerSystem.Reset`;
  t.is((await askRedfish(lab, reset, post({ ResetType: 'GracefulRestart' }))).status, 204);
  await eventually(() => lab.server.log().at(-1)?.message === 'System reset');
  t.is(lab.server.power(), 'on');
});

test('the light of a machine is told and set by either name, at system and chassis', async (t) => {
  const lab = await redfishLab(t);
  for (const at of [SYSTEM, `${ROOT}/Chassis/1`]) {
    t.is((await askRedfish(lab, at, patch({ IndicatorLED: 'Lit' }))).status, 204);
    t.like((await askRedfish(lab, at)).body, {
      IndicatorLED: 'Lit',
      LocationIndicatorActive: true,
    });
    t.is((await askRedfish(lab, at, patch({ LocationIndicatorActive: false }))).status, 204);
    t.like((await askRedfish(lab, at)).body, { IndicatorLED: 'Off' });
  }
});

test('a controller that a client restarts knows nobody who had signed in', async (t) => {
  const lab = await redfishLab(t);
  const manager = `${ROOT}/Managers/bmc`;
  const { Actions: actions } = (await askRedfish(lab, manager)).body;
  const { target } = Object(actions)['#Manager.Reset'];
  const signIn = { UserName: USER.user, Password: USER.password };
  const made = await askRedfish(lab, `${ROOT}/SessionService/Sessions`, post(signIn));
  const asked = {
    anonymous: true,
    headers: { 'x-auth-token': String(made.headers['x-auth-token']) },
  };
  t.is((await askRedfish(lab, manager, asked)).status, 200);
  t.is((await askRedfish(lab, target, post({ ResetType: 'Explode' }))).status, 400);
  t.is((await askRedfish(lab, target, post({ ResetType: 'GracefulRestart' }))).status, 204);
  t.is((await askRedfish(lab, manager, asked)).status, 401);
});

test('the management port tells the address at which a client has it', async (t) => {
  const lab = await redfishLab(t);
  const { body } = await askRedfish(lab, `${ROOT}/Managers/bmc/EthernetInterfaces/1`);
  t.like(body, { IPv4Addresses: [{ Address: '127.0.0.1' }] });
  // Foreman takes it for the identifier of the controller.
  const { UUID: own } = (await askRedfish(lab, `${ROOT}/Managers/bmc`)).body;
  t.is(own, (await askRedfish(lab, ROOT)).body.UUID);
  t.not(own, lab.server.hardware.uuid);
});

test('the boot order is told with its options, and is no other', async (t) => {
  const lab = await redfishLab(t);
  const { Boot: boot } = (await askRedfish(lab, SYSTEM)).body;
  const { BootOrder: order, BootOptions: options } = Object(boot);
  for (const one of order) {
    const { body } = await askRedfish(lab, `${options['@odata.id']}/${one}`);
    t.is(body.BootOptionReference, one);
  }
  t.is((await askRedfish(lab, SYSTEM, patch({ Boot: { BootOrder: order } }))).status, 204);
  const other = order.toReversed();
  t.is((await askRedfish(lab, SYSTEM, patch({ Boot: { BootOrder: other } }))).status, 400);
  const usual = `${SYSTEM}/Actions/ComputerSystem.SetDefaultBootOrder`;
  t.is((await askRedfish(lab, usual, post())).status, 204);
  t.is((await askRedfish(lab, `${SYSTEM}/SecureBoot`)).body.SecureBootEnable, false);
});

test('BIOS settings go back to how they came', async (t) => {
  const lab = await redfishLab(t);
  lab.server.setBios(new Map([['LogicalProc', false]]));
  t.is((await askRedfish(lab, `${SYSTEM}/Bios/Actions/Bios.ResetBios`, post())).status, 204);
  t.is(lab.server.pendingBios().get('LogicalProc'), true);
});

test('how many wrong passwords lock an account is set by a client', async (t) => {
  const lab = await redfishLab(t);
  const service = `${ROOT}/AccountService`;
  const wished = { AccountLockoutThreshold: 2, AccountLockoutDuration: 600 };
  t.is((await askRedfish(lab, service, patch(wished))).status, 204);
  t.like((await askRedfish(lab, service)).body, wished);
  t.is((await askRedfish(lab, service, patch({ AccountLockoutThreshold: -1 }))).status, 400);
  const wrong = { ...post({ UserName: USER.user, Password: 'wrong' }), anonymous: true };
  const sessions = `${ROOT}/SessionService/Sessions`;
  for (let turn = 0; turn < 2; turn += 1) await askRedfish(lab, sessions, wrong);
  t.true(lab.service.guard.isLocked(USER.user));
});

test('an image of firmware is taken, and its task says that it is none for this machine', async (t) => {
  const lab = await redfishLab(t);
  const { Actions: actions } = (await askRedfish(lab, `${ROOT}/UpdateService`)).body;
  const { target } = Object(actions)['#UpdateService.SimpleUpdate'];
  t.is((await askRedfish(lab, target, post())).status, 400);
  const image = { ImageURI: 'http://127.0.0.1/bios.bin', TransferProtocol: 'HTTP' };
  const taken = await askRedfish(lab, target, post(image));
  t.is(taken.status, 202);
  const ended = await eventually(async () => {
    const { status, body } = await askRedfish(lab, String(taken.headers.location));
    return status === 200 ? body : undefined;
  });
  t.like(ended, { TaskState: 'Exception', TaskStatus: 'Critical' });
});

test('the schema of what is shown is there, with what ilorest must find of it to send a part', async (t) => {
  const lab = await redfishLab(t);
  const bios = await askRedfish(lab, `${SYSTEM}/Bios`);
  const place = /^<(.*)>; rel=describedby$/.exec(String(bios.headers.link))?.[1] ?? '';
  const schema = (await askRedfish(lab, place)).body;
  t.is(schema.title, bios.body['@odata.type']);
  const { Attributes: attributes } = Object(schema.definitions).Bios.properties;
  t.deepEqual(
    Object.keys(attributes.properties).toSorted(),
    [...lab.server.bios().keys()].toSorted(),
  );
  t.is(attributes.properties.NumaNodesPerSocket.type, 'integer');
  const service = await askRedfish(lab, `${ROOT}/SessionService`);
  const there = /^<(.*)>;/.exec(String(service.headers.link))?.[1] ?? '';
  const { properties } = Object((await askRedfish(lab, there)).body.definitions).SessionService;
  t.is(properties.SessionTimeout.type, 'integer');
  const file = (await askRedfish(lab, place.replace(/\/en$/, ''))).body;
  t.is(Object(file.Location)[0].Uri, place);
});

test('of a change of several properties the known ones are made, and the others told', async (t) => {
  const lab = await redfishLab(t);
  const account = `${ROOT}/AccountService/Accounts/2`;
  const mixed = patch({ BogusProp: 'foo', RoleId: 'Operator' });
  const { status, body } = await askRedfish(lab, account, mixed);
  t.is(status, 200);
  t.like(body, { '@odata.id': account, RoleId: 'Operator' });
  const [info] = Object(body['@Message.ExtendedInfo']);
  t.regex(info.MessageId, /\.PropertyUnknown$/);
  t.deepEqual(info.RelatedProperties, ['#/BogusProp']);
  t.is((await askRedfish(lab, SYSTEM, patch({ BogusProp: 'foo' }))).status, 400);
  const nothing = await askRedfish(lab, SYSTEM, patch({ '@odata.id': SYSTEM }));
  t.is(nothing.status, 400);
  t.regex(JSON.stringify(nothing.body), /NoOperation/);
  t.is((await askRedfish(lab, SYSTEM, patch({ Bogus: 1, IndicatorLED: 'Sun' }))).status, 400);
  t.false(lab.server.indicator());
});

test('members are made at the collection and at its members, and only collections have one', async (t) => {
  const lab = await redfishLab(t);
  const accounts = `${ROOT}/AccountService/Accounts`;
  for (const [at, UserName] of [
    [accounts, 'ann'],
    [`${accounts}/Members`, 'bob'],
  ] as const) {
    const made = await askRedfish(
      lab,
      at,
      post({ UserName, Password: 'Secret-1234', RoleId: 'ReadOnly' }),
    );
    t.is(made.status, 201);
    t.is((await askRedfish(lab, String(made.headers.location))).body.UserName, UserName);
  }
  t.is((await askRedfish(lab, `${accounts}/Members`)).status, 404);
  t.is((await askRedfish(lab, `${ROOT}/Systems?only`)).body['@odata.id'], SYSTEM);
  t.is((await askRedfish(lab, `${SYSTEM}?only`)).status, 400);
});
