import test, { type ExecutionContext } from 'ava';
import type { BmcCredentials } from '../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../services/agent/drivers/ipmi/driver.ts';
import { cipherSuite, type SuiteId } from '../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { type BmcUnderTest, bmcContract } from '../contract/bmc-contract.suite.ts';
import { LAB_CREDENTIALS, startIpmiLab } from '../support/ipmi-lab.ts';

const driver = createIpmiDriver({ clock, random, settleMs: 5_000 });
const limit = () => AbortSignal.timeout(60_000);

const starting =
  (suites: readonly SuiteId[]) =>
  async (t: ExecutionContext<unknown>): Promise<BmcUnderTest> => {
    const lab = await startIpmiLab({ personality: { suites: suites.map(cipherSuite) } });
    t.teardown(() => lab[Symbol.asyncDispose]());
    const address = { address: lab.address, provider: 'r1u1', certificateSha256: '' };
    const open = (credentials: BmcCredentials) => driver.open(address, credentials, limit());
    const bmc = await open(LAB_CREDENTIALS);
    t.teardown(() => bmc.close(limit()));
    return { bmc, server: lab.server, open, setFault: lab.fault };
  };

bmcContract(test, {
  name: 'with both cipher suites',
  start: starting([17, 3]),
  without: ['media', 'bios'],
});
bmcContract(test, { name: 'with suite 3 only', start: starting([3]), without: ['media', 'bios'] });
