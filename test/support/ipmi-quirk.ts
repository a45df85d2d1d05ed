import type { ExecutionContext } from 'ava';
import type { Bmc } from '../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../services/agent/drivers/ipmi/driver.ts';
import { type Clock, systemClock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { type IpmiLab, type IpmiLabOptions, LAB_CREDENTIALS, startIpmiLab } from './ipmi-lab.ts';

/** The driver, of that clock, at a controller of some make over a real socket, for the test. */
export const ipmiOf = async (
  t: ExecutionContext<unknown>,
  options: IpmiLabOptions,
  clock: Clock = systemClock,
): Promise<{ readonly lab: IpmiLab; readonly bmc: Bmc }> => {
  const lab = await startIpmiLab(options);
  t.teardown(() => lab[Symbol.asyncDispose]());
  const address = { address: lab.address, provider: 'r1u1', certificateSha256: '' };
  const driver = createIpmiDriver({ clock, random });
  const bmc = await driver.open(address, LAB_CREDENTIALS, AbortSignal.timeout(60_000));
  t.teardown(() => bmc.close(AbortSignal.timeout(2_000)));
  return { lab, bmc };
};
