/**
 * An agent with the role bmc as a process that tests kill:
 * `node bmc-agent-child.ts STATE_DIR PORT`. It has joined already.
 */

import { bmcDrivers } from '../../services/agent/bmc-drivers.ts';
import { createAgent } from '../../services/agent/main.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { createLog } from '../../services/runtime/log.ts';
import { systemRandom } from '../../services/runtime/random.ts';

const [stateDir = '', port = ''] = process.argv.slice(2);
const agent = createAgent(
  {
    stateDir,
    addresses: () => [`127.0.0.1:${port}`],
    enrolment: {
      endpoint: 'https://127.0.0.1:1',
      ca: { fingerprint: '' },
      joinToken: () => Promise.reject(new Error('it has joined already')),
      agentId: 'one',
    },
    phoneHome: { address: '127.0.0.1', port: 0 },
    guestGateway: '127.0.0.1',
    accelerator: { name: '', reason: '' },
    version: '0.1.0',
    roles: ['bmc'],
  },
  {
    bmcDrivers: bmcDrivers({ clock: systemClock, random: systemRandom, settleMs: 5_000 }),
    clock: systemClock,
    random: systemRandom,
    log: createLog({ name: 'agent', level: 'info' }),
  },
);
await agent.start();
process.on('SIGTERM', () => {
  agent.stop({}).then(() => process.exit(0));
});
