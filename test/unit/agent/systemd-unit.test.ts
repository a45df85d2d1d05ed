import test from 'ava';
import { systemdUnit } from '../../../services/agent/systemd-unit.ts';

const options = { program: '/opt/runmachine-agent/current', configFile: '/etc/ra/agent.yaml' };
const unit = (...roles: string[]): string[] => systemdUnit({ ...options, roles }).split('\n');

test('an agent with the role bmc has no capability and sees no device', (t) => {
  const lines = unit('bmc');
  t.true(lines.includes('CapabilityBoundingSet='));
  t.true(lines.includes('AmbientCapabilities='));
  t.true(lines.includes('PrivateDevices=yes'));
  t.true(lines.includes('User=runmachine-agent'));
  t.false(lines.some((line) => line.startsWith('DeviceAllow=') || line.startsWith('KillMode=')));
});

test('an agent with the role vm may open /dev/kvm, and its guests outlive it', (t) => {
  const lines = unit('vm', 'bmc', 'vm');
  for (const line of [
    'CapabilityBoundingSet=',
    'DevicePolicy=closed',
    'DeviceAllow=/dev/kvm rw',
    'SupplementaryGroups=kvm',
    'KillMode=process',
    'RuntimeDirectoryPreserve=yes',
    'Description=runmachine agent (bmc, vm)',
  ]) {
    t.is(lines.filter((one) => one === line).length, 1, line);
  }
  t.false(lines.includes('PrivateDevices=yes'));
});

test('a role that is not known, or a path that a unit would read otherwise, is refused', (t) => {
  t.throws(() => unit('cook'), { message: /roles: "cook" is none of bmc, vm/ });
  t.throws(() => unit('constructor'), { message: /is none of/ });
  for (const program of ['relative', '/opt/with blank', '/opt/%n', '/opt/$HOME', '/a"b']) {
    t.throws(() => systemdUnit({ ...options, program, roles: ['bmc'] }), {
      message: /no absolute/,
    });
  }
});
