/** Everything that the lab's controllers show is of the type that it says. */
import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { Personality } from '../../deploy/lab/redfish/personality.ts';
import { inTime, offered, type RedfishLab, redfishLab, USER } from '../support/redfish-lab.ts';
import { faultsIn } from '../support/redfish-shape.ts';
import { MESSAGE } from '../support/redfish-shapes.ts';
import { faultsOfAll, faultsOfBody, type Served } from '../support/redfish-validity.ts';

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

/** Past our own client: it must not hide what it forgives. */
const ask = (lab: RedfishLab, path: string, method = 'GET', body = ''): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const auth = `${USER.user}:${USER.password}`;
    const sending = request(
      new URL(path, lab.http.url),
      { method, auth, rejectUnauthorized: false, headers: { 'content-type': 'application/json' } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
        });
      },
    );
    sending.once('error', reject);
    sending.end(body);
  });

const LINKS = new Set(['@odata.id', '@Redfish.ActionInfo', 'TaskMonitor', 'DataSourceUri', 'Uri']);

const linksIn = (value: unknown): readonly string[] => {
  if (Array.isArray(value)) return value.flatMap(linksIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const isLink = LINKS.has(name);
    return isLink && typeof one === 'string' ? [one] : linksIn(one);
  });
};

/** JSON schemas are no resources. */
const SCHEMA_FILE = /\/JsonSchemas\/[^/]+\/en$/;

const parse = (text: string): Readonly<Record<string, unknown>> => JSON.parse(text);

/** Follows every link from the root; says what is wrong with what it finds. */
const crawl = async (t: ExecutionContext<unknown>, lab: RedfishLab): Promise<readonly string[]> => {
  const faults: string[] = [];
  const found = new Map<string, Served>();
  const seen = new Set<string>();
  const left = ['/redfish/v1/'];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const key = path.replace(/(?<=.)\/$/, '');
    if (seen.has(key)) continue;
    seen.add(key);
    const { status, headers, text } = await ask(lab, path);
    if (status !== 200) {
      faults.push(`${path} was answered with ${status}`);
      continue;
    }
    t.regex(String(headers['content-type']), /^application\/json/, path);
    t.is(headers['odata-version'], '4.0', path);
    const body = parse(text);
    if (!path.includes('/TaskMonitors/')) {
      found.set(key, { body, allow: String(headers.allow ?? '') });
      if (body['@odata.id'] !== key) faults.push(`${path} calls itself ${body['@odata.id']}`);
      if (headers.etag === undefined) faults.push(`${path} has no ETag`);
    }
    const below = linksIn(body).map((link) => link.split('#')[0] ?? '');
    left.push(...below.filter((link) => link !== '' && !SCHEMA_FILE.test(link)));
  }
  t.log(`${seen.size} resources`);
  return [...faults, ...faultsOfAll(found)];
};

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';
// Nobody listens there, and it is to be seen nevertheless for as long as a test takes.
const WISH = {
  ...{ Protocol: 'Redfish', Destination: 'https://127.0.0.1/events', Context: 'rack' },
  ...{ DeliveryRetryPolicy: 'RetryForever', RegistryPrefixes: ['ResourceEvent'] },
};

/** A server on which something has happened. */
const used = async (t: ExecutionContext<unknown>, personality: Personality) => {
  const lab = await redfishLab(t, { personality });
  await ask(lab, SUBSCRIPTIONS, 'POST', JSON.stringify(WISH));
  const { offers } = await lab.open();
  await offered(offers.power).change('on', inTime());
  await offered(offers.media).insert('http://127.0.0.1/one.iso', inTime());
  await offered(offers.accounts).put({ user: 'rotated', password: 'First-secret-1' }, inTime());
  for (const severity of ['ok', 'warning', 'critical'] as const) {
    lab.server.addLog({ severity, message: `it is ${severity}` });
  }
  return lab;
};

const PERSONALITIES: Readonly<Record<string, Personality>> = {
  'a controller of today': { mediaAt: 'system' },
  'one of yesterday': { sensors: 'old', indicator: 'old', inventory: 'old', expand: false },
  'one with tasks, action infos and a settings resource': {
    ...{ resetByTask: true, resetTypes: 'info', bootAt: 'settings' },
  },
  'one with fixed accounts and a service tag': { accountSlots: 'fixed', serialAt: 'SKU' },
};

for (const [name, personality] of Object.entries(PERSONALITIES)) {
  test(`all that ${name} shows is of the type that it says`, async (t) => {
    t.deepEqual(await crawl(t, await used(t, personality)), []);
  });
}

test('what a members page or an expanded collection shows is the same', async (t) => {
  const lab = await redfishLab(t);
  const path = '/redfish/v1/Systems/1/EthernetInterfaces';
  const whole = parse((await ask(lab, `${path}?$expand=.($levels=1)`)).text);
  const members = Array.isArray(whole.Members) ? whole.Members : [];
  t.is(members.length, lab.server.hardware.nics.length);
  for (const member of members) {
    t.deepEqual(faultsOfBody(member), []);
    t.deepEqual(parse((await ask(lab, String(member['@odata.id']))).text), member);
  }
});

test('what a make adds says its type too', async (t) => {
  const lab = await redfishLab(t, { personality: { disksAt: 'smart-storage' } });
  const types: unknown[] = [];
  const left = ['/redfish/v1/Systems/1/SmartStorage'];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const body = parse((await ask(lab, path)).text);
    types.push(body['@odata.type']);
    const above = `${path}/`;
    left.push(...linksIn(body).filter((link) => link.startsWith(above)));
  }
  t.deepEqual(types, [
    '#HpeSmartStorage.v2_0_0.HpeSmartStorage',
    '#HpeSmartStorageArrayControllerCollection.HpeSmartStorageArrayControllerCollection',
    '#HpeSmartStorageArrayController.v2_2_0.HpeSmartStorageArrayController',
    '#HpeSmartStorageDiskDriveCollection.HpeSmartStorageDiskDriveCollection',
    ...lab.server.hardware.disks.map(() => DISK_DRIVE),
  ]);
});

const DISK_DRIVE = '#HpeSmartStorageDiskDrive.v2_1_0.HpeSmartStorageDiskDrive';

test('how a task went is said when it ended', async (t) => {
  const lab = await redfishLab(t, { personality: { biosByTask: true } });
  const settings = { Attributes: { PxeDev1: false }, '@Redfish.SettingsApplyTime': {} };
  const path = '/redfish/v1/Systems/1/Bios/Settings';
  const begun = parse((await ask(lab, path, 'PATCH', JSON.stringify(settings))).text);
  t.is(begun.TaskState, 'Running');
  t.false('TaskStatus' in begun);
  await lab.server.changePower('on');
  const ended = parse((await ask(lab, String(begun['@odata.id']))).text);
  t.is(ended.TaskState, 'Completed');
  t.is(ended.TaskStatus, 'OK');
});

test('a refusal carries messages that say what is wrong and what to do', async (t) => {
  const lab = await redfishLab(t);
  const system = '/redfish/v1/Systems/1';
  const refusals = [
    await ask(lab, `${system}/Nothing`),
    await ask(lab, system, 'DELETE'),
    await ask(lab, system, 'PATCH', '{"PowerState":"On"}'),
    await ask(lab, system, 'PATCH', '{"Boot":{"BootSourceOverrideTarget":"Moon"}}'),
    await ask(lab, system, 'PATCH', 'no JSON'),
    await ask(lab, `${system}/Actions/ComputerSystem.Reset`, 'POST', '{}'),
    await ask(lab, `${system}/Actions/ComputerSystem.Reset`, 'POST', '{"ResetType":"Explode"}'),
    await ask(lab, `${system}?$filter=x`),
    await ask(lab, `${system}?only=x`),
    await ask(lab, '/redfish/v1/AccountService/Accounts/2', 'PATCH', '{"Moon":1}'),
    await ask(lab, SUBSCRIPTIONS, 'POST', JSON.stringify({ ...WISH, Protocol: 'FTP' })),
  ];
  t.deepEqual(
    refusals.map(({ status }) => status),
    [404, 405, 400, 400, 400, 400, 400, 501, 400, 400, 400],
  );
  for (const { text } of refusals) {
    const { error } = parse(text);
    t.true(typeof error === 'object' && error !== null && 'code' in error && 'message' in error);
    const infos = Object(error)['@Message.ExtendedInfo'];
    t.is(infos.length, 1);
    t.deepEqual(faultsIn(infos[0], MESSAGE), []);
  }
});

test('a subscription is kept until it is ended', async (t) => {
  const lab = await redfishLab(t);
  const made = await ask(lab, SUBSCRIPTIONS, 'POST', JSON.stringify(WISH));
  t.is(made.status, 201);
  t.like(parse(made.text), WISH);
  const at = String(made.headers.location);
  t.is((await ask(lab, at)).status, 200);
  t.is((await ask(lab, at, 'DELETE')).status, 204);
  t.is((await ask(lab, at)).status, 404);
});

test('a method that is none is not implemented', async (t) => {
  const lab = await redfishLab(t, { plain: true });
  const socket = connect(lab.http.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GUESS /redfish/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [answer] = await once(socket, 'data');
  t.regex(String(answer), /^HTTP\/1\.1 501 /);
});

test('each message of a refusal is in the registry that it names', async (t) => {
  const lab = await redfishLab(t);
  const { text } = await ask(lab, '/redfish/v1/Systems/1/Nothing');
  const [info] = Object(parse(text).error)['@Message.ExtendedInfo'];
  const [prefix, major, minor, name] = String(info.MessageId).split('.');
  const file = parse((await ask(lab, '/redfish/v1/Registries/Base')).text);
  t.is(file.Registry, `${prefix}.${major}.${minor}`);
  const [{ Uri: uri }] = Object(file.Location);
  const registry = parse((await ask(lab, uri)).text);
  const entry = Object(registry.Messages)[String(name)];
  t.is(entry.Message.replace('%1', info.MessageArgs[0]), info.Message);
  t.is(entry.Resolution, info.Resolution);
});

test('whoever has not signed in sees the root and nothing else', async (t) => {
  const lab = await redfishLab(t);
  for (const path of ['/redfish', '/redfish/v1', '/redfish/v1/odata', '/redfish/v1/$metadata']) {
    t.is((await anonymous(lab, path)).status, 200, path);
  }
  const refused = await anonymous(lab, '/redfish/v1/Systems/1');
  t.is(refused.status, 401);
  t.regex(String(refused.headers['www-authenticate']), /^Basic /);
  t.is((await anonymous(lab, '/redfish/v1/AccountService/Accounts')).status, 401);
});

const anonymous = (lab: RedfishLab, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    request(new URL(path, lab.http.url), { rejectUnauthorized: false }, (answer) => {
      answer.resume();
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: '' }),
      );
    })
      .once('error', reject)
      .end();
  });
