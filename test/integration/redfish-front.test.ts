import { statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startRedfishFront } from '../../deploy/lab/redfish/front.ts';
import type { LabFault } from '../../deploy/lab/server-port.ts';
import { createRedfishDriver } from '../../services/agent/drivers/redfish/driver.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventListener } from '../support/event-listener.ts';
import { eventually } from '../support/eventually.ts';
import { askRedfish } from '../support/redfish-asking.ts';
import { inTime, offered, quickLabServer, USER } from '../support/redfish-lab.ts';
import { silentLog } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

test('a controller of the rack remembers who subscribed after a restart', async (t) => {
  using dir = temporaryDir();
  await using listener = await eventListener();
  const server = quickLabServer();
  t.teardown(() => server.close());
  const start = () =>
    startRedfishFront({
      ...{ server, faults: { current: () => undefined }, host: '127.0.0.1', port: 0 },
      ...{ directory: dir.path, clock: systemClock, random: systemRandom, log: silentLog },
    });
  const subscriptions = '/redfish/v1/EventService/Subscriptions';
  const body = {
    ...{ Destination: listener.url, Protocol: 'Redfish', Context: 'kept' },
    HttpHeaders: [{ Authorization: 'Bearer of-mine' }],
  };
  const first = await start();
  const at = { http: { url: `https://127.0.0.1:${first.port}` } };
  const made = await askRedfish(at, subscriptions, { method: 'POST', body });
  t.is(made.status, 201);
  await first.close();
  const second = await start();
  t.teardown(() => second.close());
  server.addLog({ severity: 'ok', message: 'after it' });
  const heard = await eventually(() => listener.heard.at(-1));
  t.is(heard.body.Context, 'kept');
  t.is(heard.headers.authorization, 'Bearer of-mine');
  t.is(statSync(join(dir.path, 'subscriptions.json')).mode & 0o777, 0o600);
  const there = { http: { url: `https://127.0.0.1:${second.port}` } };
  const path = String(made.headers.location);
  t.is((await askRedfish(there, path, { method: 'DELETE' })).status, 204);
  t.is((await askRedfish(there, path)).status, 404);
});

test('a controller of the rack shows the same certificate after a restart', async (t) => {
  using dir = temporaryDir();
  const server = quickLabServer();
  t.teardown(() => server.close());
  let fault: LabFault | undefined;
  const start = () =>
    startRedfishFront({
      ...{ server, faults: { current: () => fault }, host: '127.0.0.1', port: 0 },
      ...{ directory: dir.path, clock: systemClock, random: systemRandom, log: silentLog },
    });
  const driver = createRedfishDriver({ clock: systemClock, settleMs: 5_000 });
  const visit = async (port: number, certificateSha256: string) => {
    const address = { address: `127.0.0.1:${port}`, provider: 'r1u1', certificateSha256 };
    const bmc = await driver.open(address, USER, inTime());
    const power = await offered(bmc.offers.power).read(inTime());
    await bmc.close(inTime());
    return { power, certificateSha256: bmc.certificateSha256 };
  };
  const first = await start();
  const seen = await visit(first.port, '');
  t.regex(seen.certificateSha256, /^[0-9a-f]{64}$/);
  await first.close();
  const second = await start();
  t.teardown(() => second.close());
  t.deepEqual(await visit(second.port, seen.certificateSha256), seen);
  fault = 'lie';
  t.is((await visit(second.port, seen.certificateSha256)).power, 'on');
  t.is(statSync(join(dir.path, 'redfish-key.pem')).mode & 0o777, 0o600);
});
