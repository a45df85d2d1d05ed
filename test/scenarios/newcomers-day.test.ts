import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { createInstallation, type Installation } from '../support/installation.ts';
import { echoes, getMachine, newcomersDay, SMALL } from '../support/newcomers-day.ts';
import { ok } from '../support/runm.ts';

const { test } = needs('qemu', 'qemu-img', 'busybox', 'kernel');

test('a newcomer creates, types to, stops, starts, resets and deletes a machine', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  const printed = await here.start('--no-demo');
  t.regex(printed, /curl --cacert/);
  t.regex(printed, /export PATH=/);
  t.false(printed.includes(here.token()), 'the token is never printed');
  t.is(statSync(join(here.stateDir, 'admin.token')).mode & 0o777, 0o600);

  await newcomersDay(t, here);
  t.deepEqual(readdirSync(join(here.stateDir, 'guests')), [], 'nothing of the guest is left');
  t.is(await here.stop(), 0);
  noSecretsLogged(t, here);
});

const noSecretsLogged = (
  t: { false: (value: boolean, message?: string) => void },
  here: Installation,
) => {
  const log = readFileSync(join(here.stateDir, 'runmachine.log'), 'utf8');
  t.false(log.includes(here.token()), 'no token is in the log');
  t.false(/PRIVATE KEY/.test(log), 'no key is in the log');
};

test('machines outlive a kill of everything and are adopted, and an orderly stop boots them again', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  const { runm } = here;
  await here.start('--no-demo');
  ok(await runm('machine', 'create', 'steady', ...SMALL, '--wait'));
  const before = await getMachine(runm, 'steady');

  await here.kill();
  await here.start('--no-demo');
  const adopted = await eventually(
    async () => {
      const now = await getMachine(runm, 'steady');
      return now.status.state === 'MACHINE_STATE_ACTIVE' ? now : undefined;
    },
    { message: 'the machine is active after the kill' },
  );
  t.is(adopted.status.boot?.bootId, before.status.boot?.bootId, 'it was never rebooted');
  await echoes(t, here, 'steady');

  t.is(await here.stop(), 0);
  await here.start('--no-demo');
  const again = await eventually(
    async () => {
      const now = await getMachine(runm, 'steady');
      const isNew = now.status.boot?.bootId !== before.status.boot?.bootId;
      return isNew && now.status.state === 'MACHINE_STATE_ACTIVE' ? now : undefined;
    },
    { limitMs: 240_000, message: 'what was wanted boots again after a stop' },
  );
  t.truthy(again.status.boot?.bootId);
  t.is((await runm('machine', 'delete', 'steady', '--wait')).code, 0);
});

test('a second start says that it runs already, and a taken port names its holder', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  await here.start('--no-demo');
  const second = await here.run('--no-demo');
  t.is(second.code, 0);
  t.regex(second.stdout, /runs already/);
  await using other = await createInstallation();
  const port = new URL(here.endpoint).port;
  const refused = await other.run('--no-demo', '--people-port', port);
  t.is(refused.code, 1);
  t.regex(refused.stdout, new RegExp(`port ${port} .* is taken by .*process \\d+`));
  t.regex(refused.stdout, /what to do: .*--people-port/);
});
