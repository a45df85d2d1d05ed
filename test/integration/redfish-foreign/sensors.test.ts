import test from 'ava';
import { foreignRedfish } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

const OK = { State: 'Enabled', Health: 'OK' };

/** The shapes of an iLO 4, as its own documents and recordings have them. */
const THERMAL = {
  Fans: [{ FanName: 'Fan 1', CurrentReading: 17, Units: 'Percent', Status: OK }],
  Temperatures: [
    { Name: 'Inlet', ReadingCelsius: 19, Status: OK },
    { Name: 'DIMM 5', ReadingCelsius: 0, Status: { State: 'Absent' } },
    { Name: 'CPU 2', ReadingCelsius: 0, Status: { State: 'Disabled' } },
  ],
};

const chassisWith = (links: Readonly<Record<string, string>>) => ({
  '/redfish/v1/Chassis/1': {
    '@odata.id': '/redfish/v1/Chassis/1',
    ...Object.fromEntries(Object.entries(links).map(([name, at]) => [name, { '@odata.id': at }])),
  },
});

const AT = '/redfish/v1/Chassis/1/Thermal';

test('fans of iLO 4 have their amount and unit, and empty slots have no temperature', async (t) => {
  const { open } = await foreignRedfish(t, { ...chassisWith({ Thermal: AT }), [AT]: THERMAL });
  t.deepEqual(await offered((await open()).offers.sensors).read(inTime()), [
    { name: 'Inlet', kind: 'temperature', value: 19, unit: 'Cel', health: 'ok' },
    { name: 'CPU 2', kind: 'temperature', unit: 'Cel', health: 'unknown' },
    { name: 'Fan 1', kind: 'fan', value: 17, unit: '%', health: 'ok' },
  ]);
});

test('sensors that are linked and not there are looked for where they used to be', async (t) => {
  const links = { Sensors: '/redfish/v1/Chassis/1/Sensors', Thermal: AT };
  const { open } = await foreignRedfish(t, { ...chassisWith(links), [AT]: THERMAL });
  const readings = await offered((await open()).offers.sensors).read(inTime());
  t.is(readings.length, 3);
});

test('two power supplies of one name are two, and a sensor that is listed twice is one', async (t) => {
  const power = '/redfish/v1/Chassis/1/Power';
  const supply = (at: number, watts: number) => ({
    '@odata.id': `${power}#PowerSupplies/${at}`,
    ...{ MemberId: String(at), Name: 'HpeServerPowerSupply', LastPowerOutputWatts: watts },
    Status: OK,
  });
  const PowerSupplies = [supply(0, 60), supply(1, 66), supply(0, 60)];
  const { open } = await foreignRedfish(t, {
    ...chassisWith({ Power: power }),
    [power]: { PowerSupplies },
  });
  const readings = await offered((await open()).offers.sensors).read(inTime());
  t.deepEqual(
    readings.map(({ name, value }) => [name, value]),
    [
      ['HpeServerPowerSupply', 60],
      ['HpeServerPowerSupply 2', 66],
    ],
  );
});
