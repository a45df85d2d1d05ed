import test from 'ava';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { pipedController } from '../../support/ipmi-pipe.ts';

const CHASSIS = 0x00;
const CONTROL = 0x02;
const IDENTIFY = 0x04;
const GET_STATUS = 0x01;

test('what fails in a controller is answered as its failure, and it goes on', async (t) => {
  const { server, pipe, signIn } = pipedController(clock);
  const session = await signIn(pipe().datagrams);
  const ask = (command: number, ...data: number[]) =>
    session.request(
      { netFn: CHASSIS, command, data: Buffer.from(data) },
      AbortSignal.timeout(60_000),
    );
  const full = () => {
    throw new Error('no space is left');
  };
  Object.assign(server, { setIndicator: full, changePower: async () => full() });
  t.is((await ask(IDENTIFY, 15)).code, 0xff);
  t.is((await ask(CONTROL, 1)).code, 0xff);
  t.is((await ask(GET_STATUS)).code, 0);
});

test('a reset of a server that is off is not supported in its state', async (t) => {
  const { pipe, signIn } = pipedController(clock);
  const session = await signIn(pipe().datagrams);
  const data = Buffer.from([3]);
  const reset = { netFn: CHASSIS, command: CONTROL, data };
  t.is((await session.request(reset, AbortSignal.timeout(60_000))).code, 0xd5);
});

test('sessions are counted, and each is told by its place', async (t) => {
  const { pipe, signIn } = pipedController(clock);
  const first = await signIn(pipe().datagrams);
  await signIn(pipe().datagrams);
  const ask = async (command: number, ...data: number[]) => {
    const asked = { netFn: 0x06, command, data: Buffer.from(data) };
    return [...(await first.request(asked, AbortSignal.timeout(60_000))).data];
  };
  const mine = await ask(0x3d, 0);
  t.deepEqual(mine, [1, 36, 2, 2, 4, 0x11]);
  t.deepEqual(await ask(0x3d, 1), mine);
  t.deepEqual((await ask(0x3d, 2)).slice(0, 3), [2, 36, 2]);
  t.deepEqual(await ask(0x3d, 3), [0, 36, 2]);
  // Channel info: session based with many, two of them now.
  t.is((await ask(0x42, 1))[3], 0x82);
});
