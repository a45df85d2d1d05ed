import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { fruImage } from '../../deploy/lab/ipmi/fru-image.ts';
import { sensorRecords } from '../../deploy/lab/ipmi/sensor-records.ts';
import { labHardware } from '../../deploy/lab/lab-hardware.ts';
import type { LabSensor } from '../../deploy/lab/server-port.ts';
import type { Bmc, BmcCredentials } from '../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../services/agent/drivers/ipmi/driver.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { aspectOf } from '../contract/bmc-contract.suite.ts';
import { needs } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { type IpmiSim, SIM_CREDENTIALS, startIpmiSim } from '../support/ipmi-sim.ts';

/** Our driver at a controller that others wrote. */
const need = needs('openipmi');
const test = need.test;
const limit = () => AbortSignal.timeout(60_000);
const driver = createIpmiDriver({ clock, random, settleMs: 5_000 });

const HARDWARE = labHardware('r1u1');
const TEMPERATURE: LabSensor = {
  name: 'CPU1 Temp',
  kind: 'temperature',
  value: 52,
  upperCritical: 95,
};

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => `0x${byte.toString(16)}`).join(' ');

/** One sensor with its record, an inventory, and three entries in the log. */
const EMULATION: readonly string[] = [
  'sensor_add 0x20 0 1 0x01 0x01',
  'sensor_set_value 0x20 0 1 0x70 0',
  'sensor_set_event_support 0x20 0 1 enable scanning per-state 000000000000000 000000000000000 000000000000000 000000000000000',
  `main_sdr_add 0x20 ${hex(sensorRecords([TEMPERATURE])[0] ?? Buffer.alloc(0))}`,
  `mc_add_fru_data 0x20 0 256 data ${hex(fruImage(HARDWARE))}`,
  // Temperature, sensor 1: upper critical going high, then over; a power supply failure.
  'sel_add 0x20 0x02 0 0 0 0 0x20 0 4 0x01 1 0x01 0x59 0x70 0x60',
  'sel_add 0x20 0x02 0 0 0 0 0x20 0 4 0x01 1 0x81 0x59 0x70 0x60',
  'sel_add 0x20 0x02 0 0 0 0 0x20 0 4 0x08 9 0x6f 0x01 0xff 0xff',
];

const start = async (
  t: ExecutionContext<unknown>,
  options: { readonly sol?: string } = {},
): Promise<{ readonly sim: IpmiSim; readonly open: (as?: BmcCredentials) => Promise<Bmc> }> => {
  const program = need.program('ipmi_sim');
  const sim = await startIpmiSim({ program, emulation: EMULATION, ...options });
  t.teardown(() => sim[Symbol.asyncDispose]());
  const open = async (as: BmcCredentials = SIM_CREDENTIALS): Promise<Bmc> => {
    const at = { address: sim.address, provider: 'r1u1', certificateSha256: '' };
    const bmc = await driver.open(at, as, limit());
    t.teardown(() => bmc.close(limit()));
    return bmc;
  };
  return { sim, open };
};

test('ipmi_sim says what it is, and what it offers', async (t) => {
  const { open } = await start(t);
  const bmc = await open();
  t.is(bmc.vendor, HARDWARE.vendor);
  t.is(bmc.model, HARDWARE.model);
  t.is(bmc.firmware, '9.08');
  t.is(bmc.offers.power.kind, 'offered');
  t.is(bmc.offers.media.kind, 'not_offered');
  const facts = await aspectOf(bmc, 'facts').read(limit());
  t.is(facts.serialNumber, HARDWARE.serialNumber);
  // As its configuration has the GUID, in the order of RFC 9562.
  t.is(facts.smbiosUuid, '123e4567-e89b-42d3-a456-426614174000');
});

test('sensors of ipmi_sim are read', async (t) => {
  const { open } = await start(t);
  const [reading, ...others] = await aspectOf(await open(), 'sensors').read(limit());
  t.deepEqual(others, []);
  t.like(reading, { name: 'CPU1 Temp', kind: 'temperature', unit: 'Cel', health: 'ok' });
  t.true(Math.abs((reading?.value ?? 0) - 0x70 * 0.466) < 0.1, String(reading?.value));
});

test('the log of ipmi_sim is read and cleared', async (t) => {
  const { open } = await start(t);
  const log = aspectOf(await open(), 'log');
  t.deepEqual(
    (await log.read(10, limit())).map(({ severity, message }) => ({ severity, message })),
    [
      {
        severity: 'critical',
        message: 'CPU1 Temp (temperature): upper critical going high',
      },
      { severity: 'ok', message: 'CPU1 Temp (temperature): upper critical going high, over' },
      { severity: 'critical', message: 'sensor 9 (power supply): failure' },
    ],
  );
  t.is((await log.read(1, limit())).at(0)?.message, 'sensor 9 (power supply): failure');
  await log.clear(limit());
  t.deepEqual(await log.read(10, limit()), []);
});

test('boot devices of ipmi_sim are set', async (t) => {
  const { open } = await start(t);
  const boot = aspectOf(await open(), 'bootDevice');
  await boot.set({ device: 'network', persistent: false }, limit());
  t.is((await boot.read(limit())).device, 'network');
});

test('a user of ipmi_sim is made, signs in and is removed', async (t) => {
  const { open } = await start(t);
  const accounts = aspectOf(await open(), 'accounts');
  const credentials = { user: 'rotated', password: 'second-secret' };
  await accounts.put(credentials, limit());
  t.like(
    (await accounts.list(limit())).find(({ user }) => user === 'rotated'),
    { enabled: true, privilege: 'administrator' },
  );
  t.is(await aspectOf(await open(credentials), 'power').read(limit()), 'off');
  await accounts.remove('rotated', limit());
  t.falsy(
    (await accounts.list(limit())).find(({ user, enabled }) => user === 'rotated' && enabled),
  );
});

test('a request of an operator’s own is answered as it is', async (t) => {
  const { open } = await start(t);
  const raw = aspectOf(await open(), 'raw');
  t.regex(await raw.send('06 01', limit()), /^00 00 03 09 08 02 9f/);
  t.regex(await raw.send('0x06 0x7f', limit()), /invalid command/);
  await t.throwsAsync(raw.send('06 xyz', limit()), { message: /"xyz"/ });
});

test('the console of ipmi_sim carries what is typed and printed', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    // The other end of its serial line: repeats in capitals.
    socket.on('data', (bytes) => socket.write(bytes.toString('latin1').toUpperCase()));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { open } = await start(t, { sol: `telnet:127.0.0.1:${port}` });
  const bmc = await open();
  const stream = await aspectOf(bmc, 'console').open(limit());
  t.teardown(() => stream.close());
  let heard = '';
  void (async () => {
    for await (const bytes of stream.output) heard += Buffer.from(bytes).toString('latin1');
  })();
  await stream.write(Buffer.from('hello over there\r'));
  await eventually(() => heard.includes('HELLO OVER THERE'), { message: 'the answer' });
  t.is(await aspectOf(bmc, 'power').read(limit()), 'off');
});
