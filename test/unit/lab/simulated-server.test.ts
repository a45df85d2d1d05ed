import test from 'ava';
import { labHardware } from '../../../deploy/lab/lab-hardware.ts';
import type {
  LabAccount,
  LabExit,
  LabMachine,
  LabMachineBoot,
} from '../../../deploy/lab/server-port.ts';
import type { LabServerState } from '../../../deploy/lab/server-state.ts';
import { createSimulatedMachine } from '../../../deploy/lab/simulated-machine.ts';
import { createLabServer } from '../../../deploy/lab/simulated-server.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const admin: LabAccount = {
  ...{ slot: 2, user: 'admin', password: 'a password', enabled: true },
  privilege: 'administrator',
};

/** A machine that does at once what it is told, and tells what it was told. */
const obedientMachine = () => {
  const told: string[] = [];
  let running: number | undefined;
  let exited: (count: number, how: LabExit) => void = () => undefined;
  const boots: LabMachineBoot[] = [];
  const machine: LabMachine = {
    start: async (boot) => {
      if (running === boot.count) return;
      told.push(`start ${boot.count} ${boot.device}`);
      boots.push(boot);
      running = boot.count;
    },
    kill: async () => {
      if (running !== undefined) told.push('kill');
      running = undefined;
    },
    askPowerOff: async () => void told.push('ask'),
    wipe: async () => void told.push('wipe'),
    interrupt: async () => void told.push('interrupt'),
    onExit: (listener) => {
      exited = listener;
    },
    serial: { listen: () => () => undefined, write: () => undefined },
    close: async () => undefined,
  };
  const exit = (how: LabExit) => {
    const count = running ?? 0;
    running = undefined;
    exited(count, how);
  };
  return { machine, told, boots, exit };
};

const setUp = (saved?: LabServerState) => {
  const clock = manualClock();
  const obedient = obedientMachine();
  let kept = saved;
  const store = {
    load: () => kept,
    save: (state: LabServerState) => {
      kept = state;
    },
  };
  const hardware = labHardware('r1u1');
  const of = { hardware, clock, random: seededRandom(1), accounts: [admin], store };
  const server = createLabServer({ ...of, machine: obedient.machine });
  const messages = () => server.log().map(({ message }) => message);
  return { server, clock, ...obedient, messages, kept: () => kept };
};

test('a server turns on and off, takes its time for both and logs them', async (t) => {
  const { server, clock, told, messages } = setUp();
  t.is(server.power(), 'off');
  await server.changePower('on');
  await clock.advance(100);
  t.is(server.power(), 'turning_on');
  await clock.advance(1_000);
  t.is(server.power(), 'on');
  await server.changePower('on');
  await clock.advance(1_000);
  await server.changePower('off');
  await clock.advance(10);
  t.is(server.power(), 'turning_off');
  await clock.advance(1_000);
  t.is(server.power(), 'off');
  t.deepEqual(told, ['start 1 disk', 'kill']);
  t.deepEqual(messages(), ['Power turned on', 'Power turned off']);
});

test('a boot device for one boot is used up by it, a persistent one stays', async (t) => {
  const { server, clock, boots } = setUp();
  server.setBoot({ device: 'network', persistent: false, mode: 'legacy' });
  await server.changePower('on');
  await clock.advance(1_000);
  t.deepEqual(server.boot(), { device: 'none', persistent: false, mode: 'legacy' });
  await server.changePower('reset');
  await clock.advance(1_000);
  server.setBoot({ device: 'cdrom', persistent: true, mode: 'uefi' });
  server.setMedia('http://127.0.0.1/image.iso');
  for (const change of ['cycle', 'reset'] as const) {
    await server.changePower(change);
    await clock.advance(5_000);
  }
  t.deepEqual(
    boots.map(({ device }) => device),
    ['network', 'disk', 'cdrom', 'cdrom'],
  );
  t.is(boots[0]?.mode, 'legacy');
  t.is(boots[2]?.media, 'http://127.0.0.1/image.iso');
  t.is(server.boot().device, 'cdrom');
});

test('BIOS settings wait for the next boot', async (t) => {
  const { server, clock } = setUp();
  server.setBios(new Map([['LogicalProc', false]]));
  t.is(server.bios().get('LogicalProc'), true);
  t.deepEqual([...server.pendingBios()], [['LogicalProc', false]]);
  await server.changePower('on');
  await clock.advance(1_000);
  t.is(server.bios().get('LogicalProc'), false);
  t.is(server.pendingBios().size, 0);
});

test('an operating system that is asked to power off is never forced', async (t) => {
  const { server, clock, told, exit, messages } = setUp();
  await server.changePower('on');
  await clock.advance(1_000);
  await server.changePower('soft_off');
  await clock.advance(10_000);
  t.is(server.power(), 'turning_off');
  await clock.advance(200_000);
  t.is(server.power(), 'on', 'it did not listen');
  t.false(told.includes('kill'));
  await server.changePower('soft_off');
  await clock.advance(1_000);
  exit('off');
  await clock.advance(1_000);
  t.is(server.power(), 'off');
  t.deepEqual(messages(), [
    'Power turned on',
    'The operating system did not power off when it was asked to',
    'The operating system powered off',
  ]);
});

test('an operating system that is asked to restart boots again, unless power off is asked', async (t) => {
  const { server, clock, told, exit, messages } = setUp();
  await server.changePower('on');
  await clock.advance(1_000);
  await server.changePower('soft_reset');
  await clock.advance(1_000);
  t.is(server.power(), 'turning_off');
  exit('off');
  await clock.advance(1_000);
  t.is(server.power(), 'on');
  t.false(told.includes('kill'));
  t.deepEqual(messages().slice(1), ['The operating system powered off', 'System reset']);
  await server.changePower('soft_reset');
  await server.changePower('soft_off');
  await clock.advance(1_000);
  exit('off');
  await clock.advance(5_000);
  t.is(server.power(), 'off');
});

test('a cycle is seen as off, a reset is not', async (t) => {
  const { server, clock, told } = setUp();
  const seen: string[] = [];
  server.onChange(() => {
    if (seen.at(-1) !== server.power()) seen.push(server.power());
  });
  await server.changePower('cycle');
  await clock.advance(5_000);
  await server.changePower('reset');
  await clock.advance(5_000);
  await server.changePower('cycle');
  await clock.advance(5_000);
  t.deepEqual(seen, ['off', 'turning_on', 'on', 'turning_off', 'off', 'turning_on', 'on']);
  t.deepEqual(told, ['start 1 disk', 'start 2 disk', 'kill', 'start 3 disk']);
});

test('a server that is off is neither reset nor interrupted', async (t) => {
  const { server } = setUp();
  for (const change of ['reset', 'soft_reset', 'nmi'] as const) {
    const error = await t.throwsAsync(server.changePower(change));
    t.true(isDomainError(error, 'failed_precondition', 'SERVER_OFF'));
  }
  await server.changePower('soft_off');
  await server.changePower('off');
  t.is(server.power(), 'off');
});

test('what ends by itself is off, boots again, or is started again after a loss', async (t) => {
  const { server, clock, told, exit, messages } = setUp();
  await server.changePower('on');
  await clock.advance(10_000);
  exit('reset');
  await clock.advance(10_000);
  exit('lost');
  await clock.advance(10_000);
  t.is(server.power(), 'on');
  exit('off');
  await clock.advance(10_000);
  t.is(server.power(), 'off');
  t.deepEqual(told, ['start 1 disk', 'start 2 disk', 'start 3 disk']);
  t.deepEqual(messages(), [
    'Power turned on',
    'The operating system reset the system',
    'System reset',
    'Power was lost',
    'System reset',
    'The operating system powered off',
  ]);
});

test('a machine that is lost at once or does not start is off, and the log says why', async (t) => {
  const { server, clock, exit, machine, messages } = setUp();
  await server.changePower('on');
  await clock.advance(2_000);
  exit('lost');
  await clock.advance(10_000);
  t.is(server.power(), 'off');
  t.is(messages().at(-1), 'Power was lost');
  Object.assign(machine, { start: () => Promise.reject(new Error('no memory left')) });
  await server.changePower('on');
  await clock.advance(10_000);
  t.is(server.power(), 'off');
  t.is(messages().at(-1), 'Power supply failed: no memory left');
});

test('a process that takes over finishes what was wanted and logs it once', async (t) => {
  const first = setUp();
  await first.server.changePower('on');
  await first.clock.advance(2_000);
  await first.server.changePower('cycle');
  // Killed here: wanted, not reached.
  const second = setUp(first.kept());
  await second.clock.advance(5_000);
  t.is(second.server.power(), 'on');
  t.deepEqual(second.told, ['start 2 disk']);
  t.deepEqual(second.messages(), ['Power turned on', 'Power cycled']);
  const third = setUp(second.kept());
  await third.clock.advance(5_000);
  t.deepEqual(third.messages(), ['Power turned on', 'Power cycled']);
});

test('accounts are replaced by slot, and sensors follow the power', async (t) => {
  const { server, clock } = setUp();
  server.putAccount({ ...admin, slot: 3, user: 'other', privilege: 'read_only' });
  server.putAccount({ ...admin, password: 'another' });
  t.deepEqual(
    server.accounts().map(({ slot, password }) => [slot, password]),
    [
      [2, 'another'],
      [3, 'a password'],
    ],
  );
  server.removeAccount(3);
  t.is(server.accounts().length, 1);
  const fan = () => server.sensors().find(({ kind }) => kind === 'fan')?.value ?? -1;
  t.is(fan(), 0);
  await server.changePower('on');
  await clock.advance(1_000);
  t.true(fan() > 5_000);
});

test('a simulated machine prints its boot and answers at a shell', async (t) => {
  const clock = manualClock();
  const hardware = labHardware('r1u2');
  const machine = createSimulatedMachine({ hardware, clock });
  const server = createLabServer({
    ...{ hardware, machine, clock, random: seededRandom(2), accounts: [admin] },
  });
  let heard = '';
  server.serial.listen((bytes) => {
    heard += Buffer.from(bytes).toString();
  });
  const type = (text: string) => server.serial.write(Buffer.from(text));
  type('nobody is there\r');
  await server.changePower('on');
  await clock.advance(5_000);
  t.regex(heard, /BIOS 1\.4\.2.*r1u2 login: $/s);
  heard = '';
  type('root\r\necho fortz\x7fy two\runame -r\r');
  t.is(
    heard,
    'root\r\nroot@r1u2:~# echo fortz\b \by two\r\nforty two\r\n' +
      'root@r1u2:~# uname -r\r\n6.12.0-lab\r\nroot@r1u2:~# ',
  );
  type('reboot\r');
  await clock.advance(10_000);
  t.regex(heard, /Restarting system.*r1u2 login: $/s);
  await server.changePower('soft_off');
  await clock.advance(10_000);
  t.is(server.power(), 'off');
  await server.close();
});

test('a server that is off is wiped and is as new but for log and accounts', async (t) => {
  const { server, clock, told, messages } = setUp();
  await server.changePower('on');
  await clock.advance(2_000);
  const error = await t.throwsAsync(server.wipe());
  t.true(isDomainError(error, 'failed_precondition', 'SERVER_ON'));
  t.false(told.includes('wipe'));
  server.setBoot({ device: 'network', persistent: true, mode: 'legacy' });
  server.setBios(new Map([['PxeDev1', false]]));
  server.setMedia('http://127.0.0.1/x.iso');
  await server.changePower('off');
  await clock.advance(2_000);
  t.is(server.power(), 'off');
  await server.wipe();
  t.is(told.at(-1), 'wipe');
  t.deepEqual(server.boot(), { device: 'none', persistent: false, mode: 'uefi' });
  t.is(server.pendingBios().size, 0);
  t.is(server.media(), undefined);
  t.is(messages().at(-1), 'Disks wiped');
  t.deepEqual(server.accounts(), [admin]);
});

test('a server that is switched on while it is wiped goes on after it, as new', async (t) => {
  const { server, clock, told, boots, machine } = setUp();
  const wiped = Promise.withResolvers<void>();
  Object.assign(machine, { wipe: () => wiped.promise });
  server.setBoot({ device: 'network', persistent: true, mode: 'legacy' });
  const wiping = server.wipe();
  await server.changePower('on');
  await clock.advance(5_000);
  t.deepEqual(told, [], 'its disks are being wiped');
  wiped.resolve();
  await wiping;
  await clock.advance(5_000);
  t.is(server.power(), 'on');
  t.is(boots.at(-1)?.device, 'disk', 'and not what was set before');
  const error = await t.throwsAsync(server.wipe());
  t.true(isDomainError(error, 'failed_precondition', 'SERVER_ON'));
});

test('a server that was just switched on again is not wiped', async (t) => {
  const { server, clock, exit, told } = setUp();
  await server.changePower('on');
  await clock.advance(10_000);
  exit('off');
  t.is(server.power(), 'off');
  await server.changePower('on');
  const error = await t.throwsAsync(server.wipe());
  t.true(isDomainError(error, 'failed_precondition', 'SERVER_ON'));
  t.false(told.includes('wipe'));
});

test('of two wipes at once the second waits for the first', async (t) => {
  const { server, machine } = setUp();
  let atOnce = 0;
  const seen: number[] = [];
  const wipe = async () => {
    atOnce += 1;
    seen.push(atOnce);
    await Promise.resolve();
    atOnce -= 1;
  };
  Object.assign(machine, { wipe });
  await Promise.all([server.wipe(), server.wipe()]);
  t.deepEqual(seen, [1, 1]);
});

test('a server that cannot be ended is not off, and is ended again until it is', async (t) => {
  const { server, clock, machine, messages } = setUp();
  await server.changePower('on');
  await clock.advance(5_000);
  const { kill } = machine;
  let tries = 0;
  const stuck = async () => {
    tries += 1;
    throw new Error('it does not end');
  };
  Object.assign(machine, { kill: stuck });
  await server.changePower('off');
  await clock.advance(20_000);
  t.is(server.power(), 'turning_off');
  t.true(tries >= 5 && tries <= 20, `${tries} tries`);
  t.deepEqual(messages(), ['Power turned on', 'Power supply failed: it does not end']);
  Object.assign(machine, { kill });
  await clock.advance(10_000);
  t.is(server.power(), 'off');
});

test('a process that takes over before a server was ended does not show it as off', async (t) => {
  const first = setUp();
  await first.server.changePower('on');
  await first.clock.advance(5_000);
  await first.server.changePower('off');
  // Killed here: wanted, not reached.
  const second = setUp(first.kept());
  t.is(second.server.power(), 'turning_off');
  await t.throwsAsync(second.server.wipe());
  await second.clock.advance(5_000);
  t.is(second.server.power(), 'off');
});
