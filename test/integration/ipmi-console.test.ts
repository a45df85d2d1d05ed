import test, { type ExecutionContext } from 'ava';
import type { Personality } from '../../deploy/lab/ipmi/personality.ts';
import { type Bmc, BmcError, type SerialStream } from '../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../services/agent/drivers/ipmi/driver.ts';
import { cipherSuite, type SuiteId } from '../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { aspectOf } from '../contract/bmc-contract.suite.ts';
import { eventually } from '../support/eventually.ts';
import { type IpmiLab, LAB_CREDENTIALS, startIpmiLab } from '../support/ipmi-lab.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { startUdpRelay } from '../support/udp-relay.ts';

const driver = createIpmiDriver({ clock, random });
const limit = () => AbortSignal.timeout(60_000);

type Running = { readonly lab: IpmiLab; readonly open: (address?: string) => Promise<Bmc> };

/** A server that is on, and controllers opened at it. */
const running = async (
  t: ExecutionContext,
  suites?: readonly SuiteId[],
  solSettings: Personality['solSettings'] = 'told',
): Promise<Running> => {
  const offered = suites === undefined ? {} : { suites: suites.map(cipherSuite) };
  const lab = await startIpmiLab({ personality: { ...offered, solSettings } });
  t.teardown(() => lab[Symbol.asyncDispose]());
  await lab.server.changePower('on');
  await eventually(() => lab.server.power() === 'on', { message: 'power on' });
  const open = async (address = lab.address): Promise<Bmc> => {
    const at = { address, provider: 'r1u1', certificateSha256: '' };
    const bmc = await driver.open(at, LAB_CREDENTIALS, limit());
    t.teardown(() => bmc.close(limit()));
    return bmc;
  };
  return { lab, open };
};

type Heard = {
  readonly text: () => string;
  /** Undefined while it goes on; then how it ended. */
  readonly ended: () => 'closed' | BmcError | undefined;
};

const listen = (stream: SerialStream): Heard => {
  let text = '';
  let ended: 'closed' | BmcError | undefined;
  const read = async (): Promise<void> => {
    try {
      for await (const bytes of stream.output) text += Buffer.from(bytes).toString('latin1');
      ended = 'closed';
    } catch (error) {
      if (!(error instanceof BmcError)) throw error;
      ended = error;
    }
  };
  void read();
  return { text: () => text, ended: () => ended };
};

const type = (stream: SerialStream, line: string): Promise<void> =>
  stream.write(Buffer.from(`${line}\r`));

const signIn = async (stream: SerialStream, heard: Heard): Promise<void> => {
  await type(stream, '');
  await eventually(() => heard.text().includes('login:'), { message: 'a login prompt' });
  await type(stream, 'operator');
  await eventually(() => heard.text().includes(':~#'), { message: 'a shell prompt' });
};

for (const suites of [[17], [3]] as const) {
  test(`what is typed is echoed and answered, with suite ${suites[0]}`, async (t) => {
    const { open } = await running(t, suites);
    const stream = await aspectOf(await open(), 'console').open(limit());
    const heard = listen(stream);
    await signIn(stream, heard);
    await type(stream, 'echo one; two');
    await eventually(() => heard.text().includes('\r\none; two\r\n'), { message: 'the answer' });
    await stream.close();
    await stream.close();
    await eventually(() => heard.ended() === 'closed', { message: 'the end' });
    t.pass();
  });
}

test('a console whose settings nobody tells is opened', async (t) => {
  const { open } = await running(t, [17], 'untold');
  const stream = await aspectOf(await open(), 'console').open(limit());
  const heard = listen(stream);
  await signIn(stream, heard);
  await stream.close();
  t.pass();
});

test('a second console ends the first, which is told', async (t) => {
  const { open } = await running(t);
  const first = await aspectOf(await open(), 'console').open(limit());
  const heard = listen(first);
  const second = await aspectOf(await open(), 'console').open(limit());
  await eventually(() => heard.ended() instanceof BmcError, { message: 'the end of the first' });
  await t.throwsAsync(type(first, 'echo lost'), { instanceOf: BmcError });
  const after = listen(second);
  await signIn(second, after);
  await first.close();
  await type(second, 'echo still here');
  await eventually(() => after.text().includes('\r\nstill here'), { message: 'the answer' });
  await second.close();
  t.pass();
});

test('a console that a killed process has left is taken over', async (t) => {
  const { lab, open } = await running(t);
  const relay = await startUdpRelay(lab.port);
  const left = await aspectOf(await open(relay.address), 'console').open(limit());
  t.teardown(() => left.close());
  // From now on nothing of it reaches the controller any more, not even a farewell.
  await relay[Symbol.asyncDispose]();
  const stream = await aspectOf(await open(), 'console').open(limit());
  const heard = listen(stream);
  await signIn(stream, heard);
  await stream.close();
  t.pass();
});

test('other requests go on beside a console', async (t) => {
  const { open } = await running(t);
  const bmc = await open();
  const stream = await aspectOf(bmc, 'console').open(limit());
  t.is(await aspectOf(bmc, 'power').read(limit()), 'on');
  await aspectOf(bmc, 'power').change('off', limit());
  t.is(await aspectOf(bmc, 'power').read(limit()), 'off');
  await stream.close();
  t.is(await aspectOf(bmc, 'power').read(limit()), 'off');
});

test('on a network that loses and doubles, every character arrives once and in order', async (t) => {
  const { lab, open } = await running(t);
  const relay = await startUdpRelay(lab.port);
  t.teardown(() => relay[Symbol.asyncDispose]());
  const stream = await aspectOf(await open(relay.address), 'console').open(limit());
  const heard = listen(stream);
  await signIn(stream, heard);
  const seed = 815;
  t.log(`seed ${seed}`);
  const chance = seededRandom(seed);
  relay.decide(() => {
    const drawn = chance.fraction();
    return drawn < 0.15 ? 'drop' : drawn < 0.3 ? 'twice' : 'pass';
  });
  const text = Array.from({ length: 60 }, (_, index) => `w${index}`).join('-');
  await type(stream, `echo ${text}`);
  await eventually(() => heard.text().includes(`\r\n${text}\r\n`), {
    message: 'the answer',
  });
  relay.decide(() => 'pass');
  await stream.close();
  t.pass();
});

test('a reader who is slow loses nothing', async (t) => {
  const { open } = await running(t);
  const stream = await aspectOf(await open(), 'console').open(limit());
  const reader = stream.output[Symbol.asyncIterator]();
  const text = 'x'.repeat(3_000);
  await type(stream, 'operator');
  await type(stream, `echo ${text}`);
  // Nobody has read until here.
  let heard = '';
  while (!heard.includes(`\r\n${text}\r\n`)) {
    const { value, done } = await reader.next();
    if (done === true) break;
    heard += Buffer.from(value).toString('latin1');
  }
  t.true(heard.includes(`\r\n${text}\r\n`));
  await stream.close();
});

test('a console whose controller is gone ends', async (t) => {
  const { lab, open } = await running(t);
  const stream = await aspectOf(await open(), 'console').open(limit());
  const heard = listen(stream);
  lab.fault('hang');
  const error = await t.throwsAsync(type(stream, 'anybody there?'), { instanceOf: BmcError });
  t.is(error?.fault, 'timeout');
  await stream.close();
  await eventually(() => heard.ended() !== undefined, { message: 'the end' });
});
