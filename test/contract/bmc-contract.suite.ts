import type { ExecutionContext, TestFn } from 'ava';
import type { LabServer } from '../../deploy/lab/server-port.ts';
import {
  type AspectName,
  type Aspects,
  type Bmc,
  type BmcCredentials,
  BmcError,
  type BootChoice,
} from '../../services/agent/bmc-port.ts';
import { eventually } from '../support/eventually.ts';
import { fewAtOnce } from '../support/few-at-once.ts';

/** One virtual server, and a driver's line to the controller in front of it. */
export type BmcUnderTest = {
  /** The server itself, past the controller and its faults. */
  readonly server: LabServer;
  readonly bmc: Bmc;
  /** Opens another line. */
  readonly open: (credentials: BmcCredentials) => Promise<Bmc>;
  /** Undefined ends it. */
  readonly setFault: (fault: 'lie' | 'lost-write' | 'wrong-state' | undefined) => void;
};

export type BmcContract = {
  /** Opens a line of its own to a server of its own, until the test ends. */
  readonly start: (t: ExecutionContext<unknown>) => Promise<BmcUnderTest>;
  /** Aspects that the protocol does not have. */
  readonly without: readonly AspectName[];
  /** The boot mode cannot be chosen at this controller. */
  readonly hasFixedBootMode?: boolean;
  /** A boot device cannot be set for one boot only, nor taken back. */
  readonly bootDeviceLasts?: boolean;
  /** Stands before the titles. */
  readonly name: string;
};

const LIMIT_MS = 60_000;
const inTime = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);
const turn = fewAtOnce(24);

type Case = (t: ExecutionContext<unknown>, under: BmcUnderTest) => Promise<void>;

/** What every driver must do at every controller that behaves, whatever its make. */
export const bmcContract = (test: TestFn, contract: BmcContract): void => {
  const { name, start, without, hasFixedBootMode = false, bootDeviceLasts = false } = contract;
  const impossible = [
    ...(hasFixedBootMode || bootDeviceLasts ? [setsEachDevice] : []),
    ...(bootDeviceLasts ? [leavesMode] : []),
  ];
  const cases: readonly (readonly [AspectName, string, Case])[] = [
    ...POWER,
    ...BOOT.filter(([, , run]) => !impossible.includes(run)),
    ...SETTINGS,
    ...READINGS,
    ...ACCOUNTS,
  ];
  for (const [aspect, title, run] of cases) {
    if (without.includes(aspect)) continue;
    test(`${name}: ${title}`, async (t) => {
      await turn(t);
      await run(t, await start(t));
    });
  }
  test(`${name}: what is not offered says why`, async (t) => {
    await turn(t);
    const { bmc } = await start(t);
    for (const aspect of without) {
      const offer = bmc.offers[aspect];
      t.is(offer.kind, 'not_offered', aspect);
      if (offer.kind === 'not_offered') t.true(offer.why.length > 10, offer.why);
    }
  });
};

export const aspectOf = <Name extends AspectName>(bmc: Bmc, name: Name): Aspects[Name] => {
  const offer = bmc.offers[name];
  if (offer.kind === 'offered') return offer.aspect;
  throw new Error(`${name} is not offered: ${offer.why}`);
};

const faultOf = async (t: ExecutionContext<unknown>, call: Promise<unknown>) => {
  const error = await t.throwsAsync(call, { instanceOf: BmcError });
  return error.fault;
};

const POWER: readonly (readonly [AspectName, string, Case])[] = [
  [
    'power',
    'power on and off is seen before it answers, and is safe to repeat',
    async (t, { bmc, server }) => {
      const power = aspectOf(bmc, 'power');
      t.is(await power.read(inTime()), 'off');
      for (const wanted of ['on', 'on', 'off', 'off'] as const) {
        await power.change(wanted, inTime());
        t.is(server.power(), wanted);
        t.is(await power.read(inTime()), wanted);
      }
    },
  ],
  [
    'power',
    'a cycle turns an off machine on',
    async (t, { bmc, server }) => {
      const power = aspectOf(bmc, 'power');
      await power.change('cycle', inTime());
      await eventually(() => server.power() === 'on', { message: 'power on' });
      t.is(await power.read(inTime()), 'on');
    },
  ],
  [
    'power',
    'a reset and a soft power-off reach the machine',
    async (t, { bmc, server }) => {
      const power = aspectOf(bmc, 'power');
      await power.change('on', inTime());
      await power.change('reset', inTime());
      await eventually(() => server.power() === 'on', { message: 'power on again' });
      await power.change('soft_off', inTime());
      await eventually(() => server.power() === 'off', { message: 'power off' });
      t.pass();
    },
  ],
  [
    'power',
    'a controller that loses a write is told on',
    async (t, { bmc, server, setFault }) => {
      setFault('lost-write');
      t.is(await faultOf(t, aspectOf(bmc, 'power').change('on', inTime())), 'not_applied');
      t.is(server.power(), 'off');
    },
  ],
  [
    'power',
    'a controller that does something else is told on',
    async (t, { bmc, server, setFault }) => {
      setFault('wrong-state');
      t.is(await faultOf(t, aspectOf(bmc, 'power').change('on', inTime())), 'not_applied');
      t.is(server.power(), 'off');
    },
  ],
];

const CHOICES: readonly BootChoice[] = [
  { device: 'network', persistent: false, mode: 'uefi' },
  { device: 'network', persistent: true, mode: 'uefi' },
  { device: 'cdrom', persistent: false, mode: 'uefi' },
  { device: 'disk', persistent: true, mode: 'legacy' },
  { device: 'setup', persistent: false, mode: 'legacy' },
];

const setsEachDevice: Case = async (t, { bmc, server }) => {
  const boot = aspectOf(bmc, 'bootDevice');
  for (const choice of CHOICES) {
    await boot.set(choice, inTime());
    t.deepEqual(server.boot(), { ...choice, mode: choice.mode ?? 'uefi' });
    t.deepEqual(await boot.read(inTime()), choice);
  }
  await boot.set({ device: 'none', persistent: false }, inTime());
  t.is(server.boot().device, 'none');
  t.is((await boot.read(inTime())).device, 'none');
};

const leavesMode: Case = async (t, { bmc, server }) => {
  server.setBoot({ device: 'none', persistent: false, mode: 'uefi' });
  const boot = aspectOf(bmc, 'bootDevice');
  await boot.set({ device: 'network', persistent: false }, inTime());
  t.deepEqual(server.boot(), { device: 'network', persistent: false, mode: 'uefi' });
};

const BOOT: readonly (readonly [AspectName, string, Case])[] = [
  ['bootDevice', 'each boot device is set once and for good, and taken back', setsEachDevice],
  ['bootDevice', 'a choice without a mode leaves the mode as it is', leavesMode],
  [
    'bootDevice',
    'a boot device that is not kept is told',
    async (t, { bmc, setFault }) => {
      const boot = aspectOf(bmc, 'bootDevice');
      for (const fault of ['lost-write', 'wrong-state'] as const) {
        setFault(fault);
        const setting = boot.set({ device: 'network', persistent: false }, inTime());
        t.is(await faultOf(t, setting), 'not_applied', fault);
      }
    },
  ],
  [
    'media',
    'a medium is inserted, replaced and ejected',
    async (t, { bmc, server }) => {
      const media = aspectOf(bmc, 'media');
      t.is(await media.read(inTime()), undefined);
      for (const url of ['http://127.0.0.1/one.iso', 'http://127.0.0.1/two.iso']) {
        await media.insert(url, inTime());
        t.is(server.media(), url);
        t.is(await media.read(inTime()), url);
      }
      await media.eject(inTime());
      await media.eject(inTime());
      t.is(server.media(), undefined);
    },
  ],
  [
    'media',
    'a medium that is not inserted is told',
    async (t, { bmc, setFault }) => {
      setFault('lost-write');
      const inserting = aspectOf(bmc, 'media').insert('http://127.0.0.1/one.iso', inTime());
      t.is(await faultOf(t, inserting), 'not_applied');
    },
  ],
];

const SETTINGS: readonly (readonly [AspectName, string, Case])[] = [
  [
    'bios',
    'BIOS attributes wait for the next boot',
    async (t, { bmc, server }) => {
      const bios = aspectOf(bmc, 'bios');
      const [name, now] = [...(await bios.read(inTime()))].find(
        ([, value]) => typeof value === 'boolean',
      ) ?? ['', false];
      t.is(server.bios().get(name), now);
      await bios.set(new Map([[name, now !== true]]), inTime());
      t.is(server.pendingBios().get(name), now !== true);
      t.is(await faultOf(t, bios.set(new Map([['NoSuchSetting', 1]]), inTime())), 'unsupported');
    },
  ],
  [
    'bios',
    'BIOS attributes that are not kept are told',
    async (t, { bmc, setFault }) => {
      const bios = aspectOf(bmc, 'bios');
      const [name, now] = [...(await bios.read(inTime()))].find(
        ([, value]) => typeof value === 'boolean',
      ) ?? ['', false];
      setFault('lost-write');
      t.is(await faultOf(t, bios.set(new Map([[name, now !== true]]), inTime())), 'not_applied');
    },
  ],
  [
    'indicator',
    'the indicator is lit and put out',
    async (t, { bmc, server }) => {
      const indicator = aspectOf(bmc, 'indicator');
      for (const lit of [true, true, false]) {
        await indicator.set(lit, inTime());
        t.is(server.indicator(), lit);
        t.is(await indicator.read(inTime()), lit);
      }
    },
  ],
];

const READINGS: readonly (readonly [AspectName, string, Case])[] = [
  [
    'sensors',
    'every sensor is read with its kind, unit and health',
    async (t, { bmc, server }) => {
      server.setIndicator(false);
      const readings = await aspectOf(bmc, 'sensors').read(inTime());
      const units = { temperature: 'Cel', fan: '{rev}/min', voltage: 'V', power: 'W' };
      for (const { name, kind, value, upperCritical } of server.sensors()) {
        const shown = readings.find((one) => one.name === name);
        t.is(shown?.kind, kind, name);
        t.is(shown?.unit, units[kind], name);
        t.is(shown?.health, 'ok', name);
        // Protocols round: IPMI to one of 255 steps. An off server's values stand still.
        const stepMax = Math.max(0.5, upperCritical / 200);
        t.true(Math.abs((shown?.value ?? Number.NaN) - value) <= stepMax, `${name} ${value}`);
      }
    },
  ],
  [
    'log',
    'the newest log entries come oldest first, and the log is cleared',
    async (t, { bmc, server }) => {
      server.clearLog();
      for (const number of [1, 2, 3]) {
        server.addLog({ severity: number === 3 ? 'critical' : 'ok', message: `event ${number}` });
      }
      const log = aspectOf(bmc, 'log');
      t.is((await log.read(10, inTime())).length, 3);
      const newest = await log.read(2, inTime());
      const last = server.log().at(-1);
      t.is(newest.length, 2);
      // IPMI keeps whole seconds.
      t.true(Math.abs((newest[1]?.at?.getTime() ?? 0) - (last?.at.getTime() ?? 0)) <= 1000);
      t.is(newest[1]?.severity, 'critical');
      await log.clear(inTime());
      t.deepEqual(await log.read(10, inTime()), []);
    },
  ],
  [
    'facts',
    'facts say what the hardware is',
    async (t, { bmc, server: { hardware } }) => {
      const facts = await aspectOf(bmc, 'facts').read(inTime());
      t.is(facts.vendor, hardware.vendor);
      t.is(facts.model, hardware.model);
      t.is(facts.serialNumber, hardware.serialNumber);
      t.true(['', hardware.uuid].includes(facts.smbiosUuid), facts.smbiosUuid);
      t.true(facts.nics.some(({ mac, bmc: ofBmc }) => ofBmc && mac === hardware.bmcMac));
    },
  ],
];

const ACCOUNTS: readonly (readonly [AspectName, string, Case])[] = [
  [
    'accounts',
    'a new account signs in, gets another password, and is gone',
    async (t, { bmc, open, server }) => {
      const accounts = aspectOf(bmc, 'accounts');
      const before = await accounts.list(inTime());
      await accounts.put({ user: 'rotated', password: 'First-secret-1' }, inTime());
      const made = (await accounts.list(inTime())).find(({ user }) => user === 'rotated');
      t.is(made?.privilege, 'administrator');
      t.true(made?.enabled);
      await accounts.put({ user: 'rotated', password: 'Other-secret-2' }, inTime());
      const line = await open({ user: 'rotated', password: 'Other-secret-2' });
      await line.close(inTime());
      t.is((await accounts.list(inTime())).length, before.length + 1);
      await accounts.remove('rotated', inTime());
      await accounts.remove('rotated', inTime());
      t.falsy(server.accounts().find(({ user, enabled }) => user === 'rotated' && enabled));
      t.is(await faultOf(t, open({ user: 'rotated', password: 'Other-secret-2' })), 'unauthorized');
    },
  ],
  [
    'accounts',
    'the password of the very account that is signed in can be changed',
    async (t, { bmc, open, server }) => {
      const mine = { user: server.accounts()[0]?.user ?? '', password: 'Next-secret-3' };
      await aspectOf(bmc, 'accounts').put(mine, inTime());
      t.is(server.accounts()[0]?.password, mine.password);
      await aspectOf(bmc, 'power').read(inTime());
      await (await open(mine)).close(inTime());
    },
  ],
];
