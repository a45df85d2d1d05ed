import test from 'ava';
import type { HardwareFacts } from '../../services/agent/bmc-port.ts';
import { inTime, offered, type RedfishLab, redfishLab } from '../support/redfish-lab.ts';

const HARDWARE = {
  processors: [
    { model: 'Contoso 7', cores: 8, threads: 16 },
    { model: 'Contoso 7', cores: 8, threads: 16 },
  ],
  memory: [
    { label: 'DIMM A1', sizeBytes: 32 * 2 ** 30 },
    { label: 'DIMM B1', sizeBytes: 32 * 2 ** 30 },
  ],
};

const factsOf = async (lab: RedfishLab): Promise<HardwareFacts> =>
  offered((await lab.open()).offers.facts).read(inTime());

test('facts tell all that the hardware is', async (t) => {
  const lab = await redfishLab(t, { hardware: HARDWARE });
  const { hardware } = lab.server;
  t.deepEqual(await factsOf(lab), {
    vendor: hardware.vendor,
    model: hardware.model,
    serialNumber: hardware.serialNumber,
    smbiosUuid: hardware.uuid,
    architecture: 'x86_64',
    cpuModel: 'Contoso 7',
    cpuSockets: 2,
    cpuThreads: 32,
    memoryBytes: 64 * 2 ** 30,
    disks: hardware.disks,
    nics: [
      ...hardware.nics.map((nic) => ({ ...nic, bmc: false })),
      { label: 'Management port', mac: hardware.bmcMac, speedBitsPerSecond: 1e9, bmc: true },
    ],
    firmware: [
      { component: 'BIOS', version: hardware.biosVersion },
      { component: 'BMC', version: hardware.bmcVersion },
    ],
  });
});

test('facts of old firmware are put together from where they stand there', async (t) => {
  const personality = { inventory: 'old', expand: false } as const;
  const lab = await redfishLab(t, { hardware: HARDWARE, personality });
  const { hardware } = lab.server;
  const facts = await factsOf(lab);
  t.is(facts.memoryBytes, 64 * 2 ** 30);
  t.deepEqual(
    facts.disks.map(({ label, sizeBytes }) => ({ label, sizeBytes })),
    hardware.disks.map(({ label, sizeBytes }) => ({ label, sizeBytes })),
  );
  t.deepEqual(
    facts.nics.filter(({ bmc }) => !bmc).map(({ label, mac }) => ({ label, mac })),
    hardware.nics.map(({ label, mac }) => ({ label, mac })),
  );
});

const PLACEHOLDERS = [
  '00000000-0000-0000-0000-000000000000',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '03000200-0400-0500-0006-000700080009',
  'Not Settable',
];

test('what boards are shipped with when nobody wrote one is no identity', async (t) => {
  for (const uuid of PLACEHOLDERS) {
    const lab = await redfishLab(t, { hardware: { uuid, serialNumber: 'To be filled by O.E.M.' } });
    const { smbiosUuid, serialNumber } = await factsOf(lab);
    t.deepEqual({ smbiosUuid, serialNumber }, { smbiosUuid: '', serialNumber: '' }, uuid);
  }
});

test('collections that are expanded cost fewer calls', async (t) => {
  const calls = async (expand: boolean): Promise<number> => {
    const lab = await redfishLab(t, { hardware: HARDWARE, personality: { expand } });
    const aspect = offered((await lab.open()).offers.facts);
    const before = lab.heard.length;
    await aspect.read(inTime());
    return lab.heard.length - before;
  };
  const [expanded, plain] = [await calls(true), await calls(false)];
  t.log(`${expanded} calls, without $expand ${plain}`);
  t.true(expanded < plain);
});

test('of a long log that lists links only its ends are read', async (t) => {
  const lab = await redfishLab(t, { personality: { expand: false, logEntries: 'links' } });
  for (let number = 1; number <= 60; number += 1) {
    lab.server.addLog({ severity: 'ok', message: `event ${number}` });
  }
  const log = offered((await lab.open()).offers.log);
  const before = lab.heard.length;
  const newest = await log.read(5, inTime());
  t.deepEqual(
    newest.map(({ message }) => message),
    ['event 56', 'event 57', 'event 58', 'event 59', 'event 60'],
  );
  t.true(lab.heard.length - before < 20, `${lab.heard.length - before} calls`);
});
