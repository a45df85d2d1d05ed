import { spawn } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { type Fleet, type FleetOptions, startFleet } from '../../deploy/lab/fleet.ts';
import { parseFleetOptions } from '../../deploy/lab/fleet-options.ts';
import { ipmiAnswers } from '../../services/agent/drivers/presence/ipmi-presence.ts';
import { createRedfishDriver } from '../../services/agent/drivers/redfish/driver.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const credentials = { user: 'admin', password: 'secret' };

const fleetOf = (options: Partial<FleetOptions> = {}): Promise<Fleet> =>
  startFleet(
    {
      ...{ count: 300, latencyMs: 0, jitterMs: 0, seed: 1, faults: new Map() },
      ...{ redfishPort: 0, ipmiPort: 0, credentials, ...options },
    },
    { clock, random },
  );

const ipmi = async (fleet: Fleet, index: number, limitMs: number): Promise<boolean> => {
  const [host = '', port] = fleet.ipmiOf(index)?.split(':') ?? [];
  return ipmiAnswers(host, Number(port), AbortSignal.timeout(limitMs));
};

test('each controller of a fleet has an address, a server and a power of its own', async (t) => {
  const fleet = await fleetOf();
  t.teardown(() => fleet.close());
  t.is(fleet.awake(), 0);
  const signal = AbortSignal.timeout(60_000);
  const open = (index: number) =>
    createRedfishDriver({ clock }).open(
      { address: fleet.redfishOf(index), provider: `p${index}`, certificateSha256: '' },
      credentials,
      signal,
    );
  const [first, last] = [await open(0), await open(299)];
  const power = first.offers.power;
  if (power.kind === 'not_offered') return t.fail(power.why);
  await power.aspect.change('on', signal);
  t.is(fleet.bmcOf(0).server.power(), 'on');
  t.is(fleet.bmcOf(299).server.power(), 'off');
  t.true(await ipmi(fleet, 299, 10_000));
  t.is(fleet.awake(), 2, 'nobody else was asked');
  for (const bmc of [first, last]) await bmc.close(signal);
  t.is(new Set([0, 255, 256, 299].map((index) => fleet.redfishOf(index))).size, 4);
});

test('a share of the fleet has faults, the same for the same seed', async (t) => {
  const faults = new Map([
    ['hang', 0.1],
    ['503', 0.2],
  ] as const);
  const fleet = await fleetOf({ faults, seed: 7 });
  t.teardown(() => fleet.close());
  const [again, other] = [await fleetOf({ faults, seed: 7 }), await fleetOf({ faults, seed: 8 })];
  t.teardown(() => again.close());
  t.teardown(() => other.close());
  const all = (of: Fleet) => Array.from({ length: of.count }, (_, index) => of.faultOf(index));
  const share = (fault: string) => all(fleet).filter((one) => one === fault).length / 300;
  t.true(Math.abs(share('hang') - 0.1) < 0.05, `${share('hang')} hang`);
  t.true(Math.abs(share('503') - 0.2) < 0.07, `${share('503')} are busy`);
  t.deepEqual(all(fleet), all(again));
  t.notDeepEqual(all(fleet), all(other));
  const hanging = all(fleet).indexOf('hang');
  t.false(await ipmi(fleet, hanging, 300));
  t.true(await ipmi(fleet, all(fleet).indexOf(undefined), 10_000));
});

test('answers of a fleet take as long as they are told to', async (t) => {
  const fleet = await fleetOf({ count: 3, latencyMs: 80, jitterMs: 20 });
  t.teardown(() => fleet.close());
  const startedMs = clock.monotonicMs();
  t.true(await ipmi(fleet, 0, 10_000));
  const tookMs = clock.monotonicMs() - startedMs;
  t.true(tookMs >= 79, `${tookMs} ms`);
  t.is((await fetch(`${fleet.redfishOf(1)}/redfish/v1`)).status, 200);
  t.true(clock.monotonicMs() - startedMs >= 158);
  t.is(fleet.requests(), 2);
});

test('a fleet as a process tells where it is and what it weighs', async (t) => {
  using dir = temporaryDir();
  const main = join(import.meta.dirname, '../../deploy/lab/fleet-main.ts');
  const flags = ['--count', '2000', '--redfish-port', '0', '--ipmi-port', '0'];
  const file = join(dir.path, 'credentials.json');
  const child = spawn(process.execPath, [main, ...flags, '--credentials-file', file], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`exit ${code}`)));
    child.once('message', (message) => resolve({ ...Object(message) }));
  });
  t.is(ready.count, 2_000);
  t.regex(String(ready.redfish), /^http:\/\/127\.100\.0\.1:\d+$/);
  t.regex(String(ready.ipmi), /^127\.100\.0\.1:\d+$/);
  t.true(Number(ready.bytesPerBmc) < 64 * 1024, `${ready.bytesPerBmc} bytes a controller`);
});

const refused = test.macro({
  exec: (t, argv: string, expected: RegExp) => {
    t.throws(() => parseFleetOptions(argv.split(' ')), { message: expected });
  },
  title: (_, argv: string) => `refused: fleet ${argv}`,
});

test(refused, '--count many', /--count: "many" is not a number/);
test(refused, '--fault hang', /--fault: "hang" is not FAULT=SHARE/);
test(refused, '--fault sleepy=0.5', /"sleepy=0.5" is not FAULT=SHARE/);
test(refused, '--fault hang=0.7 --fault 503=0.7', /more than 1 together/);
test(refused, '--speed 5', /--speed/);
