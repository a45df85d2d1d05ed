import test from 'ava';
import { runAgent } from '../../../services/agent/process.ts';
import { AGENT_SETTINGS } from '../../../services/agent/settings.ts';
import { loadConfig } from '../../../services/runtime/config.ts';

const GOOD = {
  state_dir: '/nonexistent/agent',
  runtime_dir: '/nonexistent/run',
  endpoint: 'https://runmachine.example:7443',
  ca_fingerprint: 'ab',
  machine_addresses: ['one.example:7444', 'two.example:7444'],
};

const refuses = test.macro({
  exec: async (t, change: object, expected: RegExp) => {
    const yaml = JSON.stringify({ ...GOOD, ...change });
    const config = loadConfig(AGENT_SETTINGS, { env: {}, yaml });
    await t.throwsAsync(runAgent(config, '0.0.0'), { message: expected });
  },
  title: (name) => `an agent does not start ${name}`,
});

test('without a state directory', refuses, { state_dir: '' }, /"state_dir" is empty/);
test(
  'with a directory too deep for sockets',
  refuses,
  { runtime_dir: `/${'long/'.repeat(20)}` },
  /"runtime_dir" is longer than 60 bytes/,
);
test('without an endpoint', refuses, { endpoint: '' }, /"endpoint" must be https:\/\/host:port/);
test('trusting nobody', refuses, { ca_fingerprint: '' }, /one of "ca_file", "ca_fingerprint"/);
test('without a replica', refuses, { machine_addresses: [] }, /name every replica/);
test(
  'with an address without a port',
  refuses,
  { machine_addresses: ['one.example'] },
  /"one.example" is not host:port/,
);
test('without a role', refuses, { roles: [] }, /"roles" is empty; name vm, bmc or both/);
test('with a role that nobody knows', refuses, { roles: ['cook'] }, /"cook" is none of vm, bmc/);
