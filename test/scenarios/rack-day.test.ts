/** A lab's first day with servers, as its people type it; the README tells the same. */
import type { ExecutionContext } from 'ava';
import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { createInstallation } from '../support/installation.ts';
import { echoes } from '../support/newcomers-day.ts';
import { ok, type Runm } from '../support/runm.ts';

const { test } = needs('qemu', 'qemu-img', 'busybox', 'kernel');

const RACK = ['r1u1', 'r1u2', 'r1u3'];
/** Of them one that is recorded with Redfish; r1u2 is one with IPMI. */
const BY_REDFISH = 'r1u1';

/** How the servers of the rack stand, in its order. */
const states = async ({ runm }: Runm): Promise<readonly string[]> => {
  const shown = ok(await runm('provider', 'state'));
  return RACK.map((name) => new RegExp(`^${name} +(\\S+(?: \\S+)?)  `, 'm').exec(shown)?.[1] ?? '');
};

const untilAvailable = (here: Runm): Promise<unknown> =>
  eventually(async () => (await states(here)).every((state) => state === 'available'), {
    limitMs: 300_000,
    message: 'every server was inspected, or cleaned, and is available',
  });

/** Which server of the rack a machine is on. */
const serverOf = async ({ runm }: Runm, machine: string): Promise<string> => {
  const shown = ok(await runm('machine', 'get', machine));
  return /^provider +(\S+)$/m.exec(shown)?.[1] ?? '';
};

const powerOf = async ({ runm }: Runm, server: string): Promise<string> =>
  ok(await runm('provider', 'power', 'status', server)).trim();

test('a server is claimed, booted, typed at, and clean again when it is given back', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  await here.start('--no-demo');
  await untilAvailable(here);
  const { runm } = here;
  t.regex(ok(await runm('provider', 'list')), /^r1u1 +bare metal +1 +128 MiB +20 GiB/m);

  const reserved = ok(
    await runm(
      ...['claim', 'reserve', '--on', 'metal', '--count', '2'],
      ...['--for', '4h', '--from', 'tomorrow'],
    ),
  );
  t.regex(reserved, /^state +pending$/m);

  const made = await runm('machine', 'create', 'bench-1', '--on', 'metal', '--wait');
  t.regex(ok(made), /bench-1 is active/);
  const server = await serverOf(here, 'bench-1');
  t.true(RACK.includes(server));
  t.is(await powerOf(here, server), `${server} is on`);
  await echoes(t, here, 'bench-1');

  ok(await runm('machine', 'stop', 'bench-1', '--wait'));
  t.is(await powerOf(here, server), `${server} is off`);
  ok(await runm('machine', 'start', 'bench-1', '--wait'));
  const timeline = ok(await runm('machine', 'timeline', 'bench-1'));
  for (const told of [/claimed/, /powered on \(boot 2\)/, /opened the console/]) {
    t.regex(timeline, told);
  }
  await probes(t, here, server);

  const slip = await runm('provider', 'power', 'off', server);
  t.is(slip.code, 2, 'whoever may work there is not switched off by a slip of the finger');
  const busy = await runm('provider', 'power', 'off', server, '--yes');
  t.is(busy.code, 5, 'an operator does not switch off what a tenant holds by accident');
  t.regex(ok(await runm('machine', 'delete', 'bench-1', '--wait')), /^$/);
  await untilAvailable(here);
  t.is(await powerOf(here, server), `${server} is off`);
  const told = ok(await runm('provider', 'timeline', server));
  t.regex(told, /provider\.cleaned/, 'it was cleaned before anybody else gets it');
});

/** What a controller offers is read and nothing of how to get in is told. */
const probes = async (t: ExecutionContext, { runm }: Runm, server: string): Promise<void> => {
  const probed = ok(await runm('provider', 'probe', server));
  t.regex(probed, /^power +(redfish|ipmi) +on/m);
  t.regex(probed, /^console +ipmi/m);
  t.false(/127\.77|password/i.test(probed), 'no address and no secret is in what people share');
  t.regex(ok(await runm('provider', 'sensors', server)), /°C/);
  // Whichever it is; IPMI has no drives and no settings of firmware.
  t.regex(ok(await runm('provider', 'media', 'status', BY_REDFISH)), /is empty/);
  t.regex(ok(await runm('provider', 'bios', 'list', BY_REDFISH)), /^BootMode +Uefi$/m);
};

test('a server whose controller is gone is refused with its cause, and nothing is lost', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  await here.start('--no-demo');
  await untilAvailable(here);
  const { runm } = here;
  ok(await runm('lab', 'fault', 'r1u1', 'hang'));
  const refused = await runm('provider', 'power', 'status', 'r1u1');
  t.not(refused.code, 0);
  t.regex(refused.stderr, /r1u1/);
  ok(await runm('lab', 'fault', 'r1u1', 'none'));
  await eventually(async () => (await runm('provider', 'power', 'status', 'r1u1')).code === 0, {
    limitMs: 300_000,
    message: 'the controller answers again',
  });
});
