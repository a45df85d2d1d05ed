import { systemClock as clock } from '../../services/runtime/clock.ts';
import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { echoes, getMachine, newcomersDay, SMALL } from '../support/newcomers-day.ts';
import { startProductionSite } from '../support/production-site.ts';
import { ok, type Runm } from '../support/runm.ts';

const { test } = needs(
  ...(['postgres', 'etcd', 'haproxy', 'qemu', 'qemu-img', 'busybox', 'kernel'] as const),
);

type ClaimJson = { readonly status: { readonly state: string } };

/** Names of machines, claims that hold something, and guests: all must be as many. */
const heldClaims = async (runm: Runm['runm']): Promise<number> => {
  const claims: ClaimJson[] = JSON.parse(ok(await runm('claim', 'list', '--json')));
  return claims.filter(({ status }) => status.state !== 'CLAIM_STATE_RELEASED').length;
};

test('services, agent and machines outlive the kill of a scheduler leader and of a machine replica', async (t) => {
  using _database = await slot('database');
  using _guest = await slot('guest');
  const beganMs = clock.monotonicMs();
  const lap = (what: string, fromMs: number) =>
    t.log(`${what}: ${((clock.monotonicMs() - fromMs) / 1000).toFixed(1)} s`);
  await using site = await startProductionSite(t.log);
  lap('ready', beganMs);
  const { runm, production } = site;
  const dayMs = clock.monotonicMs();
  await newcomersDay(t, site);
  lap("newcomer's day", dayMs);

  ok(await runm('machine', 'create', 'steady', ...SMALL, '--wait'));
  const before = await getMachine(runm, 'steady');

  const leader = await site.leader();
  const leaderlessMs = clock.monotonicMs();
  await production.process(leader.name).kill('SIGKILL');
  ok(await runm('machine', 'create', 'second', ...SMALL, '--wait'));
  lap('a machine created while nobody led was active after', leaderlessMs);
  t.not((await site.leader()).name, leader.name);

  const holder = await eventually(site.agentHolder, {
    message: 'a replica has the agent',
  });
  const other = production.members.find(
    ({ service, name }) => service === 'machine' && name !== holder.name,
  );
  if (other === undefined) throw new Error('there is one replica only');
  // Asked of the replica that dies: it accepts the operation, begins it and has the agent.
  ok(await site.runmAt(holder).runm('machine', 'create', 'third', ...SMALL));
  const lostMs = clock.monotonicMs();
  await production.process(holder.name).kill('SIGKILL');
  ok(await runm('machine', 'get', 'steady'));
  lap('people were answered again after', lostMs);
  await eventually(
    async () => ok(await site.runmAt(other).runm('machine', 'console', 'steady', '--log')),
    {
      message: 'the agent redials',
    },
  );
  lap('the console was there again after', lostMs);
  await echoes(t, site.runmAt(other), 'steady');
  const third = await eventually(
    async () => {
      const now = await getMachine(runm, 'third');
      return now.status.state === 'MACHINE_STATE_ACTIVE' ? now : undefined;
    },
    { limitMs: 180_000, message: 'the machine that was being created becomes active' },
  );
  lap('the machine that was being created was active after', lostMs);
  t.is(third.status.boot?.bootCount, '1');

  const after = await getMachine(runm, 'steady');
  t.is(after.status.boot?.bootId, before.status.boot?.bootId, 'it was never rebooted');
  ok(await runm('machine', 'create', 'fourth', ...SMALL, '--wait'));
  t.is(site.guests().length, 4, 'no guest exists twice');
  t.is(await heldClaims(runm), 4, 'no claim exists twice');

  await production.process(holder.name).restart();
  await production.process(leader.name).restart();
  for (const name of ['steady', 'second', 'third', 'fourth']) {
    ok(await runm('machine', 'delete', name, '--wait'));
  }
  t.deepEqual(site.guests(), []);
  t.is(await heldClaims(runm), 0);
  t.false(site.logged().includes(production.token), 'no token is in a log');
  t.false(/PRIVATE KEY/.test(site.logged()), 'no key is in a log');
  lap('all', beganMs);
});
