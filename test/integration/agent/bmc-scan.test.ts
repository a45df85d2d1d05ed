/** Looking for controllers on loopback: one that speaks Redfish, one that speaks IPMI, others. */
import { createServer } from 'node:net';
import { create } from '@bufbuild/protobuf';
import test from 'ava';
import { BmcScanSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { controllerRef } from '../../../services/agent/bmc/controller-ref.ts';
import { scan } from '../../../services/agent/bmc/scan.ts';
import { bmcDrivers } from '../../../services/agent/bmc-drivers.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { bmcParts, controllerAt, SECRET, secretStore } from '../../support/bmc-parts.ts';
import { LAB_CREDENTIALS, startIpmiLab } from '../../support/ipmi-lab.ts';
import { redfishLab, USER } from '../../support/redfish-lab.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const never = new AbortController().signal;

const scanner = (directory: string, credentials: { user: string; password: string }) => {
  const secrets = secretStore();
  secrets.values.set(SECRET, { generation: 1n, data: { ...credentials }, stagedData: {} });
  const drivers = bmcDrivers({ clock, random });
  const parts = bmcParts({ directory, drivers, secrets });
  const look = (ranges: string[], secret = SECRET, limit = never) =>
    scan(parts, create(BmcScanSchema, { ranges, secret }), { signal: never, limit });
  return Object.assign(look, parts);
};

test('a scan finds what answers, and reads what it may sign in to', async (t) => {
  using dir = temporaryDir();
  const redfish = await redfishLab(t);
  const { port } = new URL(redfish.http.url);
  const found = await scanner(dir.path, USER)([`127.0.0.1:${port}`, '127.0.0.77:9', '127.0.0.78']);
  t.is(found.tried, 3);
  t.is(found.controllers.length, 1);
  const [one] = found.controllers;
  t.is(one?.type, BmcType.REDFISH);
  t.is(one?.problem, '');
  t.is(one?.address, `127.0.0.1:${port}`);
  t.is(one?.certificateSha256, redfish.address.certificateSha256);
  t.is(one?.facts?.serialNumber, redfish.server.hardware.serialNumber);
});

test('a scan finds controllers that speak only IPMI', async (t) => {
  using dir = temporaryDir();
  await using ipmi = await startIpmiLab();
  const found = await scanner(dir.path, LAB_CREDENTIALS)([ipmi.address]);
  const [one] = found.controllers;
  t.is(one?.type, BmcType.IPMI);
  t.is(one?.problem, '');
  t.is(one?.facts?.serialNumber, ipmi.server.hardware.serialNumber);
});

test('a scan signs in once, and tells why it could not; without a secret not at all', async (t) => {
  using dir = temporaryDir();
  await using ipmi = await startIpmiLab();
  const look = scanner(dir.path, { user: 'admin', password: 'wrong' });
  const [bare] = (await look([ipmi.address], '')).controllers;
  t.is(bare?.facts, undefined);
  t.is(bare?.problem, '');
  t.is(ipmi.refusals(), 0);
  for (let i = 0; i < 3; i += 1) {
    const [one] = (await look([ipmi.address])).controllers;
    t.regex(one?.problem ?? '', /so that the account does not lock/);
  }
  t.is(ipmi.refusals(), 1);
  const found = { ...controllerAt(ipmi.address), type: BmcType.IPMI };
  const provider = controllerRef(found, 'partitions/lab/providers/r1u1');
  await t.throwsAsync(look.sessions.open(provider, 'ipmi', never), { message: /does not lock/ });
  t.is(ipmi.refusals(), 1, 'nor is it tried for the provider that it becomes');
});

test('what answers and is no controller is not found, and a scan ends by its limit', async (t) => {
  using dir = temporaryDir();
  const silent = createServer(() => undefined);
  const wordy = createServer((socket) => socket.end('SSH-2.0-nothing\r\n'));
  const ports = await Promise.all(
    [silent, wordy].map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  t.teardown(() => [silent, wordy].map((server) => server.close()));
  const look = scanner(dir.path, USER);
  const found = await look(ports.map((port) => `127.0.0.1:${port}`));
  t.deepEqual([found.controllers.length, found.tried], [0, 2]);
  const none = await look(['127.0.0.0/20'], SECRET, AbortSignal.abort());
  t.deepEqual([none.controllers.length, none.tried], [0, 0]);
});
