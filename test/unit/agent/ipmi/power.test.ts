import test from 'ava';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { createPowerAspect } from '../../../../services/agent/drivers/ipmi/aspects/power.ts';
import {
  CODE,
  completionError,
} from '../../../../services/agent/drivers/ipmi/wire/completion-code.ts';
import { systemClock as clock } from '../../../../services/runtime/clock.ts';

const CHASSIS_STATUS = 0x01;
const OFF = 0x00;
const ON = 0x01;
const CYCLE = 0x02;
const inTime = () => AbortSignal.timeout(60_000);

/** A controller that refuses to power cycle with `code`, as VirtualBMC does with CCh. */
const withoutCycle = (code: number) => {
  const controls: number[] = [];
  let isOn = true;
  const call = async ({
    command,
    data,
  }: {
    command: number;
    data: Uint8Array;
  }): Promise<Buffer> => {
    if (command === CHASSIS_STATUS) return Buffer.from([isOn ? 1 : 0, 0, 0]);
    const [control = 0] = data;
    controls.push(control);
    if (control === CYCLE) throw completionError('r1u1', 'to power cycle the server', code);
    isOn = control === ON;
    return Buffer.alloc(0);
  };
  const power = createPowerAspect({ clock, settleMs: 5_000, link: { provider: 'r1u1', call } });
  return { power, controls };
};

test('a controller that cannot power cycle switches off and on', async (t) => {
  for (const code of [CODE.invalidField, CODE.invalidCommand]) {
    const { power, controls } = withoutCycle(code);
    await power.change('cycle', inTime());
    t.deepEqual(controls, [CYCLE, OFF, ON]);
    t.is(await power.read(inTime()), 'on');
  }
});

test('a controller that is busy is not switched off instead of power cycled', async (t) => {
  const { power, controls } = withoutCycle(CODE.nodeBusy);
  const error = await t.throwsAsync(power.change('cycle', inTime()), { instanceOf: BmcError });
  t.is(error.fault, 'busy');
  t.deepEqual(controls, [CYCLE]);
});
