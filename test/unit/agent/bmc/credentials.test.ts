import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { NEW_SIGN_IN } from '../../../../services/agent/domain/sign-in-limit.ts';
import { memoryBmc } from '../../../fakes/memory-bmc.ts';
import { bmcParts, refAt, SECRET, secretStore } from '../../../support/bmc-parts.ts';
import { eventually } from '../../../support/eventually.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const never = new AbortController().signal;
const MINUTE_MS = 60_000;

const setUp = (directory: string, given: { secrets?: ReturnType<typeof secretStore> } = {}) => {
  const clock = manualClock();
  const bmc = memoryBmc();
  const secrets = given.secrets ?? secretStore();
  const parts = bmcParts({ directory, clock, bmcs: new Map([['bmc-1', bmc]]), secrets });
  const open = async () => {
    await parts.sessions.drop(refAt('bmc-1'));
    const opened = await parts.sessions.open(refAt('bmc-1'), 'redfish', never);
    opened.release();
    return opened.which;
  };
  const attempts = () => bmc.log.filter((one) => one === 'open').length;
  return { ...parts, clock, bmc, secrets, open, attempts };
};

const change = (secrets: ReturnType<typeof secretStore>, password: string, staged?: string) => {
  const generation = (secrets.values.get(SECRET)?.generation ?? 0n) + 1n;
  const data = { user: 'admin', password };
  secrets.values.set(SECRET, {
    generation,
    data,
    stagedData: staged === undefined ? {} : { password: staged },
  });
};

test('a wrong password is tried once, then after ten minutes, until the secret changes', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, secrets, open, attempts } = setUp(dir.path);
  bmc.accounts.set('admin', 'another');
  for (let i = 0; i < 5; i += 1) {
    const error = await t.throwsAsync(open(), { instanceOf: BmcError });
    t.is(error.fault, 'unauthorized');
    t.regex(error.message, /not tried again before 20.*so that the account does not lock/);
    t.notRegex(error.message, /secret"? ?:|another/);
    await clock.advance(MINUTE_MS);
  }
  t.is(attempts(), 1);
  await clock.advance(10 * MINUTE_MS);
  await t.throwsAsync(open());
  t.is(attempts(), 2);
  change(secrets, 'another');
  await clock.advance(MINUTE_MS);
  t.is(await open(), 'present');
});

test('an agent that is started again goes on counting', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const first = setUp(dir.path);
  first.bmc.accounts.set('admin', 'another');
  await t.throwsAsync(first.open());
  first.journal.close();
  const second = setUp(dir.path);
  second.bmc.accounts.set('admin', 'another');
  await t.throwsAsync(second.open());
  t.is(second.attempts(), 0);
  second.journal.close();
});

test('an agent that dies in two attempts counts them as refused', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, open, journal, sessions, attempts } = setUp(dir.path);
  const dieInIt = async () => {
    await sessions.drop(refAt('bmc-1'));
    bmc.before = () => new Promise(() => undefined);
    const before = attempts();
    void sessions.open(refAt('bmc-1'), 'redfish', never);
    await eventually(() => attempts() > before);
    bmc.before = () => undefined;
  };
  await dieInIt();
  t.is(await open(), 'present', 'one of them is forgiven');
  journal.bmc.saveSignIn(`${refAt('bmc-1').key} admin`, NEW_SIGN_IN);
  await dieInIt();
  await dieInIt();
  const before = attempts();
  await t.throwsAsync(open(), { message: /not tried again before/ });
  t.is(attempts(), before);
  journal.close();
});

test('a controller that does not answer costs no attempt', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, open } = setUp(dir.path);
  bmc.before = () => {
    throw new BmcError('unreachable', 'no route');
  };
  for (let i = 0; i < 3; i += 1) {
    const error = await t.throwsAsync(open(), { instanceOf: BmcError });
    t.is(error.fault, 'unreachable');
  }
  bmc.before = () => undefined;
  t.is(await open(), 'present');
});

test('staged values are tried where the present ones are refused, and kept in mind', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, secrets, open, attempts } = setUp(dir.path);
  change(secrets, 'secret', 'next');
  bmc.accounts.set('admin', 'next');
  t.is(await open(), 'staged');
  t.is(attempts(), 2);
  t.is(await open(), 'staged');
  t.is(attempts(), 3, 'the staged ones come first now');
});

test('an account that IPMI refuses is still let in by Redfish', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { credentials, journal } = setUp(dir.path);
  const ref = refAt('bmc-1');
  const refused = async () => {
    throw new BmcError('unauthorized', 'no rights over this channel');
  };
  const signIn = (driver: 'redfish' | 'ipmi', attempt: () => Promise<unknown>) =>
    credentials.signIn({ ...ref, driver }, attempt, never);
  await t.throwsAsync(signIn('ipmi', refused));
  await t.throwsAsync(
    signIn('ipmi', async () => t.fail('it is too early')),
    { message: /not tried again before/ },
  );
  t.is((await signIn('redfish', async () => 'in')).value, 'in');
  await t.throwsAsync(signIn('ipmi', refused), { message: /refused user .* once/ });
  journal.close();
});

test('present values that were refused are not sent again while the staged ones have no answer', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { credentials, secrets, clock, journal } = setUp(dir.path);
  change(secrets, 'secret', 'next');
  const sent: string[] = [];
  const signIn = (isBusy: boolean) =>
    credentials.signIn(
      { ...refAt('bmc-1'), driver: 'redfish' },
      async ({ password }) => {
        sent.push(password);
        if (password === 'secret') throw new BmcError('unauthorized', 'wrong');
        if (isBusy) throw new BmcError('busy', 'all sessions are taken');
        return 'in';
      },
      never,
    );
  for (let i = 0; i < 5; i += 1) {
    await t.throwsAsync(signIn(true), { message: /all sessions/ });
    await clock.advance(1_000);
  }
  t.is((await signIn(false)).which, 'staged');
  t.deepEqual(sent, ['secret', ...Array.from({ length: 6 }, () => 'next')]);
  journal.close();
});

test('a session ends when the secret says something else, and a wrong new one shows', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, secrets, sessions, attempts } = setUp(dir.path);
  const use = async () => {
    const opened = await sessions.open(refAt('bmc-1'), 'redfish', never);
    opened.release();
    return opened;
  };
  await use();
  const kept = await use();
  t.true(kept.isUsed);
  change(secrets, 'wrong');
  t.is((await use()).bmc, kept.bmc, 'what was read a moment ago counts');
  await clock.advance(MINUTE_MS);
  for (let n = 0; n < 5; n += 1) {
    const error = await t.throwsAsync(use(), { instanceOf: BmcError });
    t.is(error.fault, 'unauthorized');
    await clock.advance(MINUTE_MS);
  }
  t.is(bmc.sessions, 0, 'the old one is closed');
  t.is(attempts(), 2, 'the wrong one was tried once');
  change(secrets, 'secret');
  await clock.advance(MINUTE_MS);
  t.false((await use()).isUsed);
  t.is(bmc.sessions, 1);
});

test('a session ends when its secret lacks what it needs', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, secrets, sessions } = setUp(dir.path);
  const use = async () => {
    const opened = await sessions.open(refAt('bmc-1'), 'redfish', never);
    opened.release();
  };
  await use();
  secrets.values.set(SECRET, { generation: 2n, data: { password: 'secret' }, stagedData: {} });
  await clock.advance(MINUTE_MS);
  await t.throwsAsync(use(), { message: `The secret "${SECRET}" has no key "user"` });
  t.is(bmc.sessions, 0);
});

test('a session stays while others are staged, and while nobody can be asked', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { clock, secrets, sessions, attempts } = setUp(dir.path);
  const use = async () => {
    await clock.advance(MINUTE_MS);
    const opened = await sessions.open(refAt('bmc-1'), 'redfish', never);
    opened.release();
    return opened.isUsed;
  };
  t.false(await use());
  change(secrets, 'secret', 'next');
  t.true(await use());
  change(secrets, 'secret');
  t.true(await use(), 'they were taken back');
  secrets.isReachable = false;
  t.true(await use());
  t.is(attempts(), 1);
});

test('a site that is cut off goes on with what is sealed here', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const first = setUp(dir.path);
  t.is(await first.open(), 'present');
  first.journal.close();
  const secrets = secretStore();
  secrets.isReachable = false;
  const second = setUp(dir.path, { secrets });
  t.is(await second.open(), 'present');
  t.is(secrets.asked, 1);
  second.journal.close();
  const raw = new DatabaseSync(join(dir.path, 'journal.sqlite'));
  const text = JSON.stringify(raw.prepare('SELECT * FROM secret').all());
  t.true(text.includes(SECRET));
  for (const hidden of ['admin', 'secret"', Buffer.from('password').toString('base64')]) {
    t.false(text.includes(hidden), hidden);
  }
  raw.close();
  t.is(statSync(join(dir.path, 'secrets.key')).mode & 0o777, 0o600);
});

test('a secret that is gone is forgotten here too', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { secrets, open, clock, journal } = setUp(dir.path);
  t.is(await open(), 'present');
  t.truthy(journal.bmc.sealedSecret(SECRET));
  secrets.values.clear();
  await clock.advance(MINUTE_MS);
  await t.throwsAsync(open(), { message: /There is no secret/ });
  t.is(journal.bmc.sealedSecret(SECRET), undefined);
});

test('what was sealed under another name or key, or is damaged, is not opened', (t) => {
  using dir = temporaryDir({ inMemory: true });
  using elsewhere = temporaryDir({ inMemory: true });
  const { sealer } = setUp(dir.path);
  const sealed = sealer.seal('one', 'text');
  t.is(sealer.unseal('one', sealed), 'text');
  t.is(sealer.unseal('two', sealed), undefined);
  t.is(setUp(elsewhere.path).sealer.unseal('one', sealed), undefined);
  t.is(sealer.unseal('one', sealed.slice(0, 20)), undefined);
  const damaged = Uint8Array.from(sealed, (byte, i) => (i === sealed.length - 1 ? byte ^ 1 : byte));
  t.is(sealer.unseal('one', damaged), undefined);
});
