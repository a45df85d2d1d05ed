import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { eventually } from './eventually.ts';
import { ok, type Runm } from './runm.ts';

/** What a newcomer does with machines, for any shape of an installation. */
export type MachineJson = {
  readonly uid: string;
  readonly status: {
    readonly state: string;
    readonly boot?: {
      readonly bootId?: string;
      readonly kernelRelease?: string;
      readonly bootCount?: string;
    };
  };
};

/** Flags of a small machine. */
export const SMALL = ['--image', 'lab-linux', '--cpus', '1', '--memory', '256MiB'] as const;

export const getMachine = async (runm: Runm['runm'], name: string): Promise<MachineJson> =>
  JSON.parse(ok(await runm('machine', 'get', name, '--json')));

/** Creates, types to, stops, starts, resets and deletes a machine; nothing of it is left. */
export const newcomersDay = async (t: ExecutionContext, here: Runm): Promise<void> => {
  const { runm } = here;
  t.regex(ok(await runm('whoami')), /users\/admin/);
  t.regex(ok(await runm('status')), /1 up/);
  t.regex(ok(await runm('provider', 'list')), /vm host/);

  const created = ok(await runm('machine', 'create', 'demo', ...SMALL, '--wait'));
  t.regex(created, /demo is active/);
  const first = await getMachine(runm, 'demo');
  t.is(first.status.state, 'MACHINE_STATE_ACTIVE');
  t.regex(first.status.boot?.bootId ?? '', /^[0-9a-f-]{36}$/);
  t.regex(first.status.boot?.kernelRelease ?? '', /^\d+\.\d+/);

  await echoes(t, here, 'demo');
  t.regex(ok(await runm('machine', 'console', 'demo', '--log')), /Linux version/);

  t.regex(ok(await runm('machine', 'stop', 'demo', '--wait')), /demo is stopped/);
  t.regex(ok(await runm('machine', 'start', 'demo', '--wait')), /demo is active/);
  const second = await getMachine(runm, 'demo');
  t.not(second.status.boot?.bootId, first.status.boot?.bootId);
  t.regex(ok(await runm('machine', 'reset', 'demo', '--wait')), /demo is active/);
  const third = await getMachine(runm, 'demo');
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
};

/** What is typed reaches the guest, and what it makes of it comes back. */
export const echoes = async (t: ExecutionContext, here: Runm, name: string): Promise<void> => {
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
        return eventually(() => shown.includes(turned), { limitMs: 10_000 });
      },
      { limitMs: 180_000, message: 'the guest answers at its console' },
    );
    t.true(shown.includes(turned));
  } finally {
    console.kill('SIGKILL');
  }
};
