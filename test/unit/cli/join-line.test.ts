/** The line that hosts paste, as it reads. */
import test from 'ava';
import { joinLine } from '../../../services/cli/join-line.ts';

test('the line says where agents connect when the control plane does, and asks for root', (t) => {
  const line = joinLine(
    {
      ...{ endpoint: 'https://rm.example:7443', caFingerprint: `${'AB:'.repeat(31)}AB` },
      ...{ token: 't', roles: ['vm'], agentId: '', more: [] },
    },
    {
      installerSha256: 'cd'.repeat(32),
      machineAddresses: ['m1.example:7444', 'm2.example:7444'],
      machinePort: 1,
    },
  );
  t.true(line.includes('--machine m1.example:7444 --machine m2.example:7444 )'));
  t.true(line.includes('|| echo sudo) sh install.sh'));
  t.true(line.includes(`= ${'ab'.repeat(32)} ]`));
  t.false(line.includes('\n'));
  t.false(line.includes('--id'));
});
