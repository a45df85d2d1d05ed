import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { createInstallation, type Installation, type Outcome } from '../support/installation.ts';

const { test } = needs('qemu', 'qemu-img', 'busybox', 'kernel');

type MachineJson = {
  uid: string;
  status: { state: string; boot?: { bootId?: string; kernelRelease?: string; bootCount?: string } };
};

const ok = (outcome: Outcome): string => {
  if (outcome.code !== 0) throw new Error(`exit ${outcome.code}: ${outcome.stderr}`);
  return outcome.stdout;
};

const machine = async (runm: Installation['runm'], name: string): Promise<MachineJson> =>
  JSON.parse(ok(await runm('machine', 'get', name, '--json')));

const CREATE = ['--image', 'lab-linux', '--cpus', '1', '--memory', '256MiB'];

test('a newcomer creates, types to, stops, starts, resets and deletes a machine', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  const { runm } = here;
  const printed = await here.start('--no-demo');
  t.regex(printed, /curl --cacert/);
  t.regex(printed, /export PATH=/);
  t.false(printed.includes(here.token()), 'the token is never printed');
  t.is(statSync(join(here.stateDir, 'admin.token')).mode & 0o777, 0o600);

  t.regex(ok(await runm('whoami')), /users\/admin/);
  t.regex(ok(await runm('status')), /1 up/);
  t.regex(ok(await runm('provider', 'list')), /vm host/);

  const created = ok(await runm('machine', 'create', 'demo', ...CREATE, '--wait'));
  t.regex(created, /demo is active/);
  const first = await machine(runm, 'demo');
  t.is(first.status.state, 'MACHINE_STATE_ACTIVE');
  t.regex(first.status.boot?.bootId ?? '', /^[0-9a-f-]{36}$/);
  t.regex(first.status.boot?.kernelRelease ?? '', /^\d+\.\d+/);

  await echoes(t, here, 'demo');
  t.regex(ok(await runm('machine', 'console', 'demo', '--log')), /Linux version/);

  t.regex(ok(await runm('machine', 'stop', 'demo', '--wait')), /demo is stopped/);
  t.regex(ok(await runm('machine', 'start', 'demo', '--wait')), /demo is active/);
  const second = await machine(runm, 'demo');
  t.not(second.status.boot?.bootId, first.status.boot?.bootId);
  t.regex(ok(await runm('machine', 'reset', 'demo', '--wait')), /demo is active/);
  const third = await machine(runm, 'demo');
  t.not(third.status.boot?.bootId, second.status.boot?.bootId);

  const timeline = ok(await runm('machine', 'timeline', 'demo'));
  for (const told of ['claimed', 'kernel', 'phoned home']) t.regex(timeline, new RegExp(told));
  t.regex(ok(await runm('event', 'list')), /phoned home/);

  const deleted = await runm('machine', 'delete', 'demo', '--wait');
  t.is(deleted.code, 0, deleted.stderr);
  t.is(ok(await runm('machine', 'list', '--quiet')), '');
  const claims: { status: { state: string } }[] = JSON.parse(
    ok(await runm('claim', 'list', '--json')),
  );
  t.true(claims.every((claim) => claim.status.state === 'CLAIM_STATE_RELEASED'));
  t.deepEqual(readdirSync(join(here.stateDir, 'guests')), [], 'nothing of the guest is left');
  t.is(await here.stop(), 0);
  noSecretsLogged(t, here);
});

/** What is typed reaches the guest, and what it makes of it comes back. */
const echoes = async (
  t: { true: (value: boolean, message?: string) => void },
  here: Installation,
  name: string,
): Promise<void> => {
  const console = here.spawnRunm('machine', 'console', name);
  let shown = '';
  console.stdout?.on('data', (part: Buffer) => {
    shown += part.toString();
  });
  let remarks = '';
  console.stderr?.on('data', (part: Buffer) => {
    remarks += part.toString();
  });
  try {
    await eventually(() => remarks.includes('connected'), { message: 'the console opens' });
    const word = randomBytes(8).toString('hex');
    const turned = [...word].toReversed().join('');
    await eventually(
      () => {
        console.stdin?.write(`echo ${word} | rev\r`);
        return eventually(() => shown.includes(turned), { limitMs: 3_000 });
      },
      { limitMs: 30_000, message: 'the guest answers at its console' },
    );
    t.true(shown.includes(turned));
  } finally {
    console.kill('SIGKILL');
  }
};

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
  ok(await runm('machine', 'create', 'steady', ...CREATE, '--wait'));
  const before = await machine(runm, 'steady');

  await here.kill();
  await here.start('--no-demo');
  const adopted = await eventually(
    async () => {
      const now = await machine(runm, 'steady');
      return now.status.state === 'MACHINE_STATE_ACTIVE' ? now : undefined;
    },
    { limitMs: 30_000, message: 'the machine is active after the kill' },
  );
  t.is(adopted.status.boot?.bootId, before.status.boot?.bootId, 'it was never rebooted');
  await echoes(t, here, 'steady');

  t.is(await here.stop(), 0);
  await here.start('--no-demo');
  const again = await eventually(
    async () => {
      const now = await machine(runm, 'steady');
      const isNew = now.status.boot?.bootId !== before.status.boot?.bootId;
      return isNew && now.status.state === 'MACHINE_STATE_ACTIVE' ? now : undefined;
    },
    { limitMs: 90_000, message: 'what was wanted boots again after a stop' },
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
