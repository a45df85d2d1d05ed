import test from 'ava';
import { type ReadyFacts, readyBlock } from '../../../../deploy/start/ready-block.ts';

const FACTS: ReadyFacts = {
  ...{ endpoint: 'https://127.0.0.1:7443', caFile: '/s/ca.pem', caFingerprint: 'ab' },
  ...{ tokenFile: '/s/admin.token', logFile: '/s/log', binDir: '/s/bin', accelerator: 'kvm' },
  ...{ machine: 'running', lab: undefined, warnings: [], stopCommand: undefined },
};

const server = {
  ...({ name: 'srv-1', unit: 1, powerFeeds: [], bmc: 'redfish', nics: [], bmcMac: '' } as const),
  ...({ power: 'off', redfish: 'https://127.77.1.1:443', ipmi: '127.77.1.1:623' } as const),
  ...({ credentialsFile: '/s/credentials.json', fault: 'none' } as const),
};
const lab = {
  ...({ site: 's', rack: 'r1', powerFeeds: [], machines: 'qemu', why: '' } as const),
  servers: [server],
};

test('the end of a start says what to type for a machine, and for servers where there are some', (t) => {
  const without = readyBlock(FACTS);
  t.regex(without, /^ {2}runm machine console hello/m);
  t.notRegex(without, /runm (?:lab|provider)|--on metal/);
  const within = readyBlock({ ...FACTS, lab });
  t.regex(within, /^ {2}runm provider list {2,}# /m);
  t.regex(within, /^ {2}runm provider probe srv-1 {2,}# /m);
  t.regex(within, /^ {2}runm machine create bench-1 --on metal --wait$/m);
});
