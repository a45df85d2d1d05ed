import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { makeCertificate } from '../../deploy/lab/redfish/certificate.ts';
import { startRedfishServer } from '../../deploy/lab/redfish/http-server.ts';
import { createWire } from '../../deploy/lab/redfish/wire.ts';
import { BmcError, type BmcFault } from '../../services/agent/bmc-port.ts';
import { createRedfishDriver } from '../../services/agent/drivers/redfish/driver.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { inTime, offered, redfishLab, USER } from '../support/redfish-lab.ts';

const driver = createRedfishDriver({ clock: systemClock, settleMs: 5_000 });

const refusal = async (
  t: ExecutionContext<unknown>,
  call: Promise<unknown>,
  fault: BmcFault,
): Promise<BmcError> => {
  const error = await t.throwsAsync(call, { instanceOf: BmcError });
  t.is(error.fault, fault, error.message);
  t.false(error.message.includes(USER.password), error.message);
  return error;
};

test('a controller that answers with a page for people is told as one', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.setFault('html');
  const error = await refusal(t, offered(bmc.offers.power).read(inTime()), 'protocol');
  t.regex(error.message, /text\/html/);
});

test('half an answer is told as one', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.setFault('half-json');
  const error = await refusal(t, offered(bmc.offers.power).read(inTime()), 'protocol');
  t.regex(error.message, /JSON that cannot be read/);
});

test('an answer of 30 MB is refused and not kept', async (t) => {
  const lab = await redfishLab(t, { plain: true });
  const bmc = await lab.open();
  lab.setFault('huge');
  const error = await refusal(t, offered(bmc.offers.power).read(inTime()), 'protocol');
  t.regex(error.message, /more than 4194304 bytes/);
  lab.setFault(undefined);
  t.is(await offered(bmc.offers.power).read(inTime()), 'off');
});

/** Answers everything with the beginning of a JSON object; `more` says how it goes on. */
const endless = async (t: ExecutionContext<unknown>, more: (response: ServerResponse) => void) => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"Name":"');
    more(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = addressOf(server.address());
  return { address: `http://127.0.0.1:${port}`, provider: 'r1u1', certificateSha256: '' };
};

test('an answer without an end is left after a bound', async (t) => {
  let sent = 0;
  const piece = 'x'.repeat(65_536);
  const address = await endless(t, (response) => {
    const pour = (): void => {
      while (!response.destroyed) {
        sent += piece.length;
        if (!response.write(piece)) return void response.once('drain', pour);
      }
    };
    pour();
  });
  const error = await refusal(t, driver.open(address, USER, inTime()), 'protocol');
  t.regex(error.message, /goes on beyond that/);
  t.true(sent < 32 * 1024 * 1024, `${sent} bytes`);
});

test('an answer that stops in its midst ends by the signal', async (t) => {
  const address = await endless(t, () => undefined);
  await refusal(t, driver.open(address, USER, AbortSignal.timeout(300)), 'timeout');
});

test('a busy controller is told as busy, with when to come again', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.setFault('503');
  const error = await refusal(t, offered(bmc.offers.power).read(inTime()), 'busy');
  t.regex(error.message, /retry after 5/);
  t.true(error.said.length > 0);
});

test('a controller that hangs ends by the signal', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.setFault('hang');
  const startMs = performance.now();
  await refusal(t, offered(bmc.offers.power).read(AbortSignal.timeout(200)), 'timeout');
  t.true(performance.now() - startMs < 30_000);
  await refusal(t, driver.open(lab.address, USER, AbortSignal.timeout(200)), 'timeout');
});

test('a controller that drops every second connection is still read', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.setFault('flap');
  for (let turn = 0; turn < 3; turn += 1) {
    t.is(await offered(bmc.offers.power).read(inTime()), 'off');
  }
});

test('a slow controller is waited for', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.setFault('slow');
  t.is(await offered(bmc.offers.power).read(inTime()), 'off');
});

test('a controller that lies about power is not believed to have done it', async (t) => {
  const lab = await redfishLab(t, { settleMs: 3_000 });
  const bmc = await lab.open();
  await offered(bmc.offers.power).change('on', inTime());
  lab.setFault('lie');
  // It says off, is asked to go on, and goes on saying off.
  await refusal(t, offered(bmc.offers.power).change('on', inTime()), 'not_applied');
});

test('nobody there is told as unreachable', async (t) => {
  const lab = await redfishLab(t, { port: await freePort() });
  await lab.http.close();
  await refusal(t, driver.open(lab.address, USER, inTime()), 'unreachable');
});

test('what speaks no HTTP is told as protocol', async (t) => {
  const server = createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = addressOf(server.address());
  const address = { address: `http://127.0.0.1:${port}`, provider: 'r1u1', certificateSha256: '' };
  await refusal(t, driver.open(address, USER, inTime()), 'protocol');
});

test('a redirect to another host is not followed, and no credential goes there', async (t) => {
  const heard: string[] = [];
  const other = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
    response.end('{}');
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const elsewhere = `http://127.0.0.1:${addressOf(other.address()).port}/`;
  const lab = await redfishLab(t, { elsewhere });
  const bmc = await lab.open();
  lab.setFault('elsewhere');
  const power = offered(bmc.offers.power);
  const error = await refusal(t, power.read(inTime()), 'protocol');
  t.true(error.message.includes(new URL(elsewhere).origin));
  await refusal(t, power.change('on', inTime()), 'protocol');
  await refusal(t, driver.open(lab.address, USER, inTime()), 'protocol');
  t.deepEqual(heard, []);
});

test('a redirect at the same host is followed', async (t) => {
  const lab = await redfishLab(t, { plain: true });
  const wire = createWire({
    ...{ service: lab.service, clock: systemClock, faults: { current: () => undefined } },
  });
  const server = createServer((request, response) => {
    if (request.url !== '/redfish/v1/') return void wire(request, response);
    response.writeHead(308, { location: `http://${request.headers.host}/redfish/v1` }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = addressOf(server.address());
  const address = { ...lab.address, address: `http://127.0.0.1:${port}` };
  const bmc = await driver.open(address, USER, inTime());
  t.is(await offered(bmc.offers.power).read(inTime()), 'off');
  await bmc.close(inTime());
});

test('a certificate that changed is refused before a credential is sent', async (t) => {
  const lab = await redfishLab(t, { port: await freePort() });
  const { port } = lab.http;
  await lab.http.close();
  const heardBefore = lab.heard.length;
  const heard: string[] = [];
  const changed = await startRedfishServer({
    service: lab.service,
    faults: { current: () => undefined },
    clock: systemClock,
    host: '127.0.0.1',
    port,
    certificate: await makeCertificate('127.0.0.1', systemClock),
    heard: ({ path }) => heard.push(path),
  });
  t.teardown(() => changed.close());
  const error = await refusal(t, driver.open(lab.address, USER, inTime()), 'certificate');
  t.true(error.message.includes(lab.address.certificateSha256));
  t.deepEqual(heard, []);
  t.is(lab.heard.length, heardBefore);
});

test('a certificate that changes under a line is refused as well', async (t) => {
  const lab = await redfishLab(t, { port: await freePort() });
  const bmc = await driver.open({ ...lab.address, certificateSha256: '' }, USER, inTime());
  t.is(bmc.certificateSha256, lab.address.certificateSha256);
  const { port } = lab.http;
  await lab.http.close();
  const changed = await startRedfishServer({
    service: lab.service,
    faults: { current: () => undefined },
    clock: systemClock,
    host: '127.0.0.1',
    port,
    certificate: await makeCertificate('127.0.0.1', systemClock),
  });
  t.teardown(() => changed.close());
  await refusal(t, offered(bmc.offers.power).read(inTime()), 'certificate');
  await bmc.close(inTime());
});

test('an expired session is made anew, once', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  for (const { id } of lab.service.guard.sessions()) lab.service.guard.signOut(id);
  t.is(await offered(bmc.offers.power).read(inTime()), 'off');
  t.is(lab.service.guard.sessions().length, 1);
  t.is(lab.service.guard.refusals(), 0);
});

test('a password that changed under a line is tried once and never again', async (t) => {
  const lab = await redfishLab(t);
  const bmc = await lab.open();
  lab.server.putAccount({
    ...{ slot: 2, user: USER.user, password: 'changed', enabled: true },
    privilege: 'administrator',
  });
  for (const { id } of lab.service.guard.sessions()) lab.service.guard.signOut(id);
  for (let turn = 0; turn < 3; turn += 1) {
    await refusal(t, offered(bmc.offers.power).read(inTime()), 'unauthorized');
  }
  t.is(lab.service.guard.refusals(), 1);
});

test('where all sessions are taken basic authentication does', async (t) => {
  const lab = await redfishLab(t, { sessionsMax: 1 });
  await lab.open();
  const second = await lab.open();
  t.is(await offered(second.offers.power).read(inTime()), 'off');
  t.is(lab.service.guard.sessions().length, 1);
});

test('a session is not left behind where opening fails', async (t) => {
  const lab = await redfishLab(t, { personality: { partialSystem: 'Other' } });
  await refusal(t, driver.open(lab.address, USER, inTime()), 'refused');
  await eventually(() => lab.service.guard.sessions().length === 0, { message: 'the end' });
  t.pass();
});

test('one system of several is chosen by its address', async (t) => {
  const lab = await redfishLab(t, { personality: { partialSystem: 'Other' } });
  const address = { ...lab.address, address: `${lab.http.url}/redfish/v1/Systems/1` };
  const bmc = await driver.open(address, USER, inTime());
  t.is(await offered(bmc.offers.power).read(inTime()), 'off');
  await bmc.close(inTime());
  const none = { ...lab.address, address: `${lab.http.url}/redfish/v1/Systems/7` };
  const error = await refusal(t, driver.open(none, USER, inTime()), 'protocol');
  t.regex(error.message, /it has .*Systems\/Other/);
});

test('a change made by somebody else in between is read again and made once more', async (t) => {
  const tags: string[] = [];
  const lab = await redfishLab(t, {
    personality: { etags: 'required' },
    onRequest: ({ method, headers }, server) => {
      if (method !== 'PATCH') return;
      if (tags.length === 0) server.setIndicator(true);
      tags.push(headers['if-match'] ?? '');
    },
  });
  const bmc = await lab.open();
  await offered(bmc.offers.bootDevice).set({ device: 'network', persistent: false }, inTime());
  t.is(lab.server.boot().device, 'network');
  t.is(tags.length, 2);
  t.not(tags[0], tags[1]);
});

const addressOf = (address: AddressInfo | string | null): AddressInfo => {
  if (typeof address === 'object' && address !== null) return address;
  throw new Error('it does not listen on a port');
};
