/** What an operator does with servers and projects, as he types it. */
import test from 'ava';
import { eventually } from '../support/eventually.ts';
import { ok } from '../support/runm.ts';
import { startSharedSite } from '../support/shared-site.ts';

test('an operator takes a server out, gives it back, and says that one is clean', async (t) => {
  await using site = await startSharedSite();
  const { ada, operator } = site;
  const stateOf = async (server: string) =>
    /^state +(.+)$/m.exec(ok(await operator('provider', 'state', server)))?.[1];

  t.log('a reason is needed, and who holds the server keeps it');
  ok(await operator('project', 'create', 'default'));
  const onOne = ['mine', '--whole', '--in-tree', 'metal-01'];
  ok(await operator('claim', 'create', ...onOne));
  t.is((await operator('provider', 'maintain', 'metal-01')).code, 2);
  const closed = await operator('provider', 'maintain', 'metal-01', '--reason', 'new fans');
  t.regex(closed.stdout, /^state +maintenance$/m);
  t.regex(closed.stderr, /claims that hold it go on/);
  t.regex(
    ok(await operator('provider', 'state')),
    /^metal-01 +maintenance +users\/admin +new fans/m,
  );
  t.is((await ada('claim', 'create', 'more', '--whole', '--count', '6')).code, 7);

  t.log('an ended claim waits for a cleaning; a return says that it is clean and opens it');
  ok(await operator('claim', 'release', 'mine'));
  await eventually(
    async () =>
      /CLEANING|waits for cleaning/.test(ok(await operator('provider', 'state', 'metal-01'))),
    { message: 'it waits for its cleaning' },
  );
  t.is(await stateOf('metal-01'), 'maintenance');
  t.is((await operator('claim', 'create', 'again', ...onOne.slice(1))).code, 7);
  t.regex(ok(await operator('provider', 'return', 'metal-01')), /^state +available$/m);
  ok(await operator('claim', 'create', 'again', ...onOne.slice(1)));
  t.is(await stateOf('metal-01'), 'in use');

  t.log('a quarantine is not lifted by maintenance');
  ok(await operator('provider', 'quarantine', 'metal-02', '--reason', 'odd firmware'));
  const refused = await operator('provider', 'maintain', 'metal-02', '--reason', 'x');
  t.is(refused.code, 5);
  t.regex(refused.stderr, /while it is quarantined: return it first/);
  t.not((await ada('provider', 'return', 'metal-02')).code, 0, 'a tenant does not');

  t.log('projects lie in each other and say who is to be told');
  ok(await operator('project', 'create', 'lab-a', '--parent', 'red', '--contact', 'a@example.org'));
  t.regex(ok(await operator('project', 'get', 'lab-a')), /^inside +projects\/red$/m);
  const contacts = ['--contact', 'b@example.org', '--contact', 'c@example.org'];
  const changed = ok(await operator('project', 'update', 'lab-a', ...contacts));
  t.regex(changed, /^contacts +b@example\.org c@example\.org$/m);
  const kept = await operator('project', 'delete', 'red');
  t.regex(kept.stderr, /inside it are projects\/lab-a/);
});
