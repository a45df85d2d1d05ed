import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import {
  type Bmc,
  type BmcCredentials,
  BmcError,
  type PowerAspect,
} from '../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../services/agent/drivers/ipmi/driver.ts';
import {
  decodeAsf,
  decodeRmcp,
  encodeAsf,
  encodeRmcp,
} from '../../services/agent/drivers/ipmi/wire/rmcp.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { aspectOf } from '../contract/bmc-contract.suite.ts';
import { eventually } from '../support/eventually.ts';
import { type IpmiLab, LAB_CREDENTIALS, startIpmiLab } from '../support/ipmi-lab.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { type Fate, startUdpRelay, type UdpRelay } from '../support/udp-relay.ts';

const driver = createIpmiDriver({ clock, random, settleMs: 5_000 });
const within = (ms: number) => AbortSignal.timeout(ms);
const LIMIT_MS = 60_000;

const openAt = (address: string, credentials: BmcCredentials = LAB_CREDENTIALS): Promise<Bmc> =>
  driver.open({ address, provider: 'r1u1', certificateSha256: '' }, credentials, within(LIMIT_MS));

const faultOf = async (t: ExecutionContext, call: Promise<unknown>) =>
  (await t.throwsAsync(call, { instanceOf: BmcError }))?.fault;

type Opened = {
  readonly lab: IpmiLab;
  readonly bmc: Bmc;
  readonly power: PowerAspect;
};

const opened = async (t: ExecutionContext): Promise<Opened> => {
  const lab = await startIpmiLab();
  t.teardown(() => lab[Symbol.asyncDispose]());
  const bmc = await openAt(lab.address);
  t.teardown(() => bmc.close(within(2_000)));
  return { lab, bmc, power: aspectOf(bmc, 'power') };
};

test('a controller that is slow is waited for', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('slow');
  await power.change('on', within(LIMIT_MS));
  t.is(lab.server.power(), 'on');
});

test('one that hangs ends by the signal, and answers again afterwards', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('hang');
  const startedMs = performance.now();
  t.is(await faultOf(t, power.read(within(300))), 'timeout');
  t.true(performance.now() - startedMs < 30_000);
  lab.fault(undefined);
  t.is(await power.read(within(LIMIT_MS)), 'off');
});

test('one that hangs without a signal that ends is given up', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('hang');
  t.regex(String(await faultOf(t, power.read(within(LIMIT_MS)))), /unreachable|timeout/);
});

test('one that has too much to do is busy, after some patience', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('503');
  t.is(await faultOf(t, power.read(within(LIMIT_MS))), 'busy');
  t.is(await faultOf(t, openAt(lab.address)), 'busy');
  lab.fault(undefined);
  t.is(await power.read(within(LIMIT_MS)), 'off');
});

test('one that was busy for a moment is asked again', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('503');
  const before = lab.looks();
  const reading = power.read(within(LIMIT_MS));
  await eventually(() => lab.looks() >= before + 2, { message: 'a busy answer' });
  lab.fault(undefined);
  t.is(await reading, 'off');
});

test('one that answers with HTML is not believed', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('html');
  t.is(await faultOf(t, power.read(within(1_500))), 'timeout');
  lab.fault(undefined);
  t.is(await power.read(within(LIMIT_MS)), 'off');
});

test('one that comes and goes is signed in to again when it is back', async (t) => {
  const { lab, power } = await opened(t);
  lab.fault('flap');
  const wasWaitedFor = async (): Promise<boolean> => {
    const startMs = performance.now();
    t.is(await power.read(within(LIMIT_MS)), 'off');
    return performance.now() - startMs > 900;
  };
  // It began while nobody was there, and ended well.
  await eventually(wasWaitedFor, { limitMs: LIMIT_MS, message: 'a reading after a pause' });
  t.is(lab.refusals(), 0);
});

test('one that lies about its power is told on', async (t) => {
  const { lab, power } = await opened(t);
  await power.change('on', within(LIMIT_MS));
  lab.fault('lie');
  t.is(await faultOf(t, power.change('on', within(LIMIT_MS))), 'not_applied');
});

test('one that was restarted is signed in to again, once', async (t) => {
  const { lab, power } = await opened(t);
  await lab.restart();
  t.is(await power.read(within(LIMIT_MS)), 'off');
  t.is(lab.refusals(), 0);
});

test('a reset is not sent again to one that forgot the session', async (t) => {
  const { lab, power } = await opened(t);
  await power.change('on', within(LIMIT_MS));
  const entries = lab.server.log().length;
  const reset = power.change('reset', within(LIMIT_MS));
  // The read in front of the reset has been answered by then, or opens a session of its own.
  await lab.restart();
  await reset.catch((error: unknown) => t.true(error instanceof BmcError));
  t.true(lab.server.log().length - entries <= 1);
});

test('a wrong password is tried once', async (t) => {
  const { lab } = await opened(t);
  const wrong = { ...LAB_CREDENTIALS, password: 'wrong' };
  t.is(await faultOf(t, openAt(lab.address, wrong)), 'unauthorized');
  await eventually(() => lab.refusals() > 0, { message: 'the refusal in the log' });
  t.is(lab.refusals(), 1);
});

test('a password that is too long for IPMI is no attempt to sign in', async (t) => {
  const { lab } = await opened(t);
  const long = { ...LAB_CREDENTIALS, password: 'x'.repeat(21) };
  t.is(await faultOf(t, openAt(lab.address, long)), 'unsupported');
  t.is(lab.refusals(), 0);
});

test('a password that was changed behind our back is tried once', async (t) => {
  const { lab, power } = await opened(t);
  const [account] = lab.server.accounts();
  if (account === undefined) throw new Error('the lab has no account');
  lab.server.putAccount({ ...account, password: 'another' });
  await lab.restart();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    t.is(await faultOf(t, power.read(within(LIMIT_MS))), 'unauthorized');
  }
  await eventually(() => lab.refusals() > 0, { message: 'the refusal in the log' });
  t.is(lab.refusals(), 1);
});

test('its own password is rotated within the session, and the next session has the new one', async (t) => {
  const { lab, bmc, power } = await opened(t);
  const rotated = { ...LAB_CREDENTIALS, password: 'twenty-bytes-at-most' };
  await aspectOf(bmc, 'accounts').put(rotated, within(LIMIT_MS));
  await lab.restart();
  t.is(await power.read(within(LIMIT_MS)), 'off');
  t.is(lab.refusals(), 0);
  t.is(await faultOf(t, openAt(lab.address)), 'unauthorized');
});

test('an account that may only look is offered no switches', async (t) => {
  const { lab } = await opened(t);
  lab.server.putAccount({
    ...{ slot: 5, user: 'watcher', password: 'looks-only', enabled: true },
    privilege: 'read_only',
  });
  const bmc = await openAt(lab.address, { user: 'watcher', password: 'looks-only' });
  const { power, accounts, sensors } = bmc.offers;
  t.like(power, { kind: 'not_offered', why: 'The user may only look' });
  t.is(accounts.kind, 'not_offered');
  t.is(sensors.kind, 'offered');
  t.true((await aspectOf(bmc, 'sensors').read(within(LIMIT_MS))).length > 5);
  t.is(lab.refusals(), 0);
  await bmc.close(within(2_000));
});

const relayed = async (t: ExecutionContext): Promise<Opened & { readonly relay: UdpRelay }> => {
  const lab = await startIpmiLab();
  t.teardown(() => lab[Symbol.asyncDispose]());
  const relay = await startUdpRelay(lab.port);
  t.teardown(() => relay[Symbol.asyncDispose]());
  const bmc = await openAt(relay.address);
  t.teardown(() => bmc.close(within(2_000)));
  return { lab, relay, bmc, power: aspectOf(bmc, 'power') };
};

test('what is lost, doubled or garbled on the way is made good', async (t) => {
  const { relay, power, lab } = await relayed(t);
  const seed = 4_711;
  t.log(`seed ${seed}`);
  const chance = seededRandom(seed);
  const fates: readonly Fate[] = ['drop', 'twice', 'garble', 'pass', 'pass', 'pass', 'pass'];
  relay.decide(() => fates[Math.floor(chance.fraction() * fates.length)] ?? 'pass');
  await power.change('on', within(LIMIT_MS));
  for (let round = 0; round < 20; round += 1) t.is(await power.read(within(LIMIT_MS)), 'on');
  t.is(lab.refusals(), 0);
});

test('a handshake of which any datagram is lost proves no wrong password', async (t) => {
  const { relay, lab } = await relayed(t);
  for (const towards of ['server', 'client'] as const) {
    for (let lost = 1; lost <= 5; lost += 1) {
      const before = relay.count(towards);
      relay.decide((way, number) =>
        way === towards && number === before + lost ? 'drop' : 'pass',
      );
      const bmc = await openAt(relay.address);
      await bmc.close(within(2_000));
    }
  }
  t.is(lab.refusals(), 0);
});

test('one that answers pings and nothing else is told from one that is not there', async (t) => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  let answersPings = true;
  socket.on('message', (bytes, from) => {
    const rmcp = decodeRmcp(bytes);
    const asf = rmcp?.kind === 'asf' ? decodeAsf(rmcp.body) : undefined;
    if (asf?.kind !== 'ping' || !answersPings) return;
    const pong = encodeRmcp('asf', encodeAsf({ kind: 'pong', tag: asf.tag, ipmi: true }));
    socket.send(pong, from.port, from.address);
  });
  const address = `127.0.0.1:${socket.address().port}`;
  t.is(await faultOf(t, openAt(address)), 'timeout');
  answersPings = false;
  t.is(await faultOf(t, openAt(address)), 'unreachable');
});

test('a request that is replayed is not done again', async (t) => {
  const { relay, lab, power } = await relayed(t);
  await power.change('on', within(LIMIT_MS));
  const entries = lab.server.log().length;
  relay.decide((towards) => (towards === 'server' ? 'twice' : 'pass'));
  await power.change('reset', within(LIMIT_MS));
  await eventually(() => lab.server.log().length > entries, { message: 'the reset' });
  t.is(lab.server.log().length, entries + 1);
});
