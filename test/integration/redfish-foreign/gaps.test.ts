import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { failing, foreignRedfish } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

const SYSTEM = '/redfish/v1/Systems/1';
const link = (path: string) => ({ '@odata.id': path });

/** As sushy-tools shows a machine of which it knows little: links to what fails with 500. */
const BODIES = {
  [SYSTEM]: {
    ...link(SYSTEM),
    Model: 'Guest',
    UUID: '27946b59-9e44-4fa7-8e91-f3527a1ef094',
    Processors: link(`${SYSTEM}/Processors`),
    Memory: link(`${SYSTEM}/Memory`),
    EthernetInterfaces: link(`${SYSTEM}/EthernetInterfaces`),
    SimpleStorage: link(`${SYSTEM}/SimpleStorage`),
    Storage: link(`${SYSTEM}/Storage`),
    Links: {
      Chassis: [link('/redfish/v1/Chassis/1')],
      ManagedBy: [link('/redfish/v1/Managers/1')],
    },
  },
  [`${SYSTEM}/Processors`]: failing(500),
  [`${SYSTEM}/EthernetInterfaces`]: failing(500),
  [`${SYSTEM}/SimpleStorage`]: failing(500),
  [`${SYSTEM}/Storage`]: { Members: [link(`${SYSTEM}/Storage/1`)] },
  [`${SYSTEM}/Storage/1`]: {
    ...link(`${SYSTEM}/Storage/1`),
    Drives: [link(`${SYSTEM}/Storage/1/Drives/a`), link(`${SYSTEM}/Storage/1/Drives/b`)],
  },
  [`${SYSTEM}/Storage/1/Drives/a`]: failing(500),
  [`${SYSTEM}/Storage/1/Drives/b`]: { Name: 'Drive b', SerialNumber: 'B1', CapacityBytes: 1000 },
  '/redfish/v1/Chassis/1': { ...link('/redfish/v1/Chassis/1'), Thermal: link('/thermal') },
  '/thermal': failing(500),
};

test('what a controller links to and fails at is no reason to know nothing', async (t) => {
  const { open } = await foreignRedfish(t, BODIES);
  const { offers } = await open();
  const facts = await offered(offers.facts).read(inTime());
  t.is(facts.smbiosUuid, '27946b59-9e44-4fa7-8e91-f3527a1ef094');
  t.deepEqual(
    facts.disks.map(({ label }) => label),
    ['Drive b'],
  );
  t.deepEqual([facts.cpuSockets, facts.memoryBytes, facts.nics], [0, 0, []]);
  t.deepEqual(await offered(offers.sensors).read(inTime()), []);
});

test('a controller that is busy, or fails at the machine itself, is told', async (t) => {
  for (const [path, status, fault] of [
    [`${SYSTEM}/Processors`, 503, 'busy'],
    [`${SYSTEM}/Processors`, 403, 'refused'],
    [SYSTEM, 500, 'refused'],
  ] as const) {
    const bodies: Record<string, Readonly<Record<string, unknown>>> = { ...BODIES };
    bodies[path] = failing(status);
    const { open } = await foreignRedfish(t, bodies);
    const reading = open().then(({ offers }) => offered(offers.facts).read(inTime()));
    const error = await t.throwsAsync(reading, { instanceOf: BmcError });
    t.is(error.fault, fault, path);
  }
});
