import test, { type ExecutionContext } from 'ava';
import type { Personality } from '../../deploy/lab/redfish/personality.ts';
import { type BmcUnderTest, bmcContract } from '../contract/bmc-contract.suite.ts';
import { redfishLab } from '../support/redfish-lab.ts';

/** One machine of each kind that the specification allows, or allowed once. */
const PERSONALITIES: Readonly<Record<string, Personality>> = {
  'as the newest schema has it': { mediaAt: 'system' },
  'as the first schema had it': {
    ...{ sensors: 'old', indicator: 'old', inventory: 'old', expand: false },
  },
  'a few at a time': { expand: false, pageSize: 2 },
  'with tasks and action infos': { resetByTask: true, resetTypes: 'info', biosByTask: true },
  'with weak tags that it takes back as strong ones': { etags: 'weak' },
  'with tags on everything': { etags: 'required' },
  'without sessions': { sessions: 'none' },
  'with media by property': { mediaBy: 'patch' },
  'with media whose protocol must be said': { mediaNeeds: ['TransferProtocolType'] },
  'without saying what resets it takes': { resetTypes: 'unsaid' },
  'with a button instead of a soft power-off': { noSoftOff: 'push-button' },
  'with fixed accounts of no known make': { accountSlots: 'fixed' },
};

const starting =
  (personality: Personality) =>
  async (t: ExecutionContext<unknown>): Promise<BmcUnderTest> => {
    const { open, server, setFault } = await redfishLab(t, { personality });
    return { bmc: await open(), server, open, setFault };
  };

for (const [name, personality] of Object.entries(PERSONALITIES)) {
  bmcContract(test, { name, start: starting(personality), without: ['console'] });
}
