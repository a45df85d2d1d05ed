import type { ExecutionContext } from 'ava';
import { needs } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import {
  type ClientResult,
  freeipmi,
  ipmitool,
  ipmitoolConsole,
  type SuiteNumber,
} from '../support/ipmi-clients.ts';
import { type IpmiLab, startIpmiLab } from '../support/ipmi-lab.ts';

const need = needs('ipmitool', 'freeipmi');
const test = need.test;
const SUITES: readonly SuiteNumber[] = [3, 17];

/** What ipmitool says, without its complaint about a missing list of vendors. */
const asked = async (
  t: ExecutionContext,
  target: { readonly lab: IpmiLab; readonly suite: SuiteNumber },
  ...command: readonly string[]
): Promise<string> => {
  const { lab, suite } = target;
  const host = lab.address.split(':')[0] ?? '';
  const at = { host, port: lab.port, suite };
  const result = await ipmitool(need.program('ipmitool'), at, ...command);
  return succeeded(t, result);
};

const succeeded = (t: ExecutionContext, { code, output }: ClientResult): string => {
  t.is(code, 0, output);
  return output.replaceAll(/^IANA PEN registry.*\n/gm, '');
};

for (const suite of SUITES) {
  test(`ipmitool switches a server with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { lab, suite };
    t.regex(await asked(t, target, 'power', 'status'), /Power is off/);
    await asked(t, target, 'power', 'on');
    await eventually(() => lab.server.power() === 'on');
    t.regex(await asked(t, target, 'power', 'status'), /Power is on/);
    await asked(t, target, 'power', 'cycle');
    await asked(t, target, 'power', 'off');
    await eventually(() => lab.server.power() === 'off');
    await asked(t, target, 'chassis', 'identify', 'force');
    t.true(lab.server.indicator());
  });

  test(`ipmitool sets the boot device with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { lab, suite };
    await asked(t, target, 'chassis', 'bootdev', 'pxe', 'options=efiboot');
    t.deepEqual(lab.server.boot(), { device: 'network', persistent: false, mode: 'uefi' });
    const said = await asked(t, target, 'chassis', 'bootparam', 'get', '5');
    t.regex(said, /Force PXE/);
    t.regex(said, /BIOS EFI boot/);
    await asked(t, target, 'chassis', 'bootdev', 'disk', 'options=persistent');
    t.deepEqual(lab.server.boot(), { device: 'disk', persistent: true, mode: 'legacy' });
  });

  test(`ipmitool reads sensors, log and inventory with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { lab, suite };
    const { hardware } = lab.server;
    t.regex(await asked(t, target, 'sdr', 'list'), /Inlet Temp +\| 2\d(\.\d+)? degrees C +\| ok/);
    t.regex(await asked(t, target, 'sensor'), /P12V .* 13\.\d+/);
    t.regex(await asked(t, target, 'fru', 'print'), new RegExp(hardware.serialNumber));
    lab.server.addLog({ severity: 'critical', message: 'Power was lost' });
    t.regex(await asked(t, target, 'sel', 'elist'), /Transition to Critical from less severe/i);
    await asked(t, target, 'sel', 'clear');
    t.deepEqual(lab.server.log(), []);
    t.regex(await asked(t, target, 'mc', 'info'), /Firmware Revision +: 2\.10/);
    t.regex(await asked(t, target, 'lan', 'print', '1'), new RegExp(hardware.bmcMac));
  });

  test(`ipmitool reads what an outage leaves, and where it is, with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab({ host: '127.0.0.9' });
    const target = { lab, suite };
    t.regex(await asked(t, target, 'chassis', 'status'), /Power Restore Policy +: previous/);
    t.regex(await asked(t, target, 'chassis', 'policy', 'list'), /: +previous/);
    t.regex(await asked(t, target, 'lan', 'print', '1'), /IP Address +: 127\.0\.0\.9/);
    t.regex(await asked(t, target, 'raw', '0x06', '0x07'), /05 00/);
  });

  test(`ipmitool asks what data centres ask with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { lab, suite };
    await asked(t, target, 'power', 'on');
    await eventually(() => lab.server.power() === 'on');
    t.regex(await asked(t, target, 'dcmi', 'discover'), /Power management/);
    const power = await asked(t, target, 'dcmi', 'power', 'reading');
    t.regex(power, /Instantaneous power reading: +[1-9]\d* Watts/);
    t.regex(power, /Power reading state is: +activated/);
    t.regex(await asked(t, target, 'dcmi', 'asset_tag'), /r1u1/);
    t.regex(await asked(t, target, 'dcmi', 'get_mc_id_string'), /r1u1/);
    t.regex(await asked(t, target, 'dcmi', 'sensors'), /Inlet: 1 temperature sensor found/);
    t.regex(await asked(t, target, 'dcmi', 'get_temp_reading'), /Inlet.*\+2\d C/);
    t.regex(await asked(t, target, 'dcmi', 'power', 'get_limit'), /Power Limit: +0 Watts/);
    await asked(t, target, 'event', '1');
    t.regex(lab.server.log().at(-1)?.message ?? '', /^Platform event /);
  });

  test(`ipmitool sets a watchdog that restarts a server with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { lab, suite };
    await asked(t, target, 'power', 'on');
    await eventually(() => lab.server.power() === 'on');
    // Used by an operating system, hard reset, no flag to clear, a tenth of a second.
    await asked(t, target, 'raw', '6', '0x24', '4', '1', '0', '0', '1', '0');
    t.regex(await asked(t, target, 'mc', 'watchdog', 'get'), /Watchdog Timer Is: +Stopped/);
    await asked(t, target, 'mc', 'watchdog', 'reset');
    await eventually(() => lab.server.log().at(-1)?.message === 'System reset');
    t.regex(await asked(t, target, 'mc', 'watchdog', 'get'), /SMS\/OS/);
    // More than an hour, and off before it is over.
    await asked(t, target, 'raw', '6', '0x24', '4', '2', '0', '0xff', '0xff', '0xff');
    await asked(t, target, 'mc', 'watchdog', 'reset');
    t.regex(await asked(t, target, 'mc', 'watchdog', 'get'), /Started\/Running/);
    await asked(t, target, 'raw', '6', '0x24', '4', '2', '0', '0xff', '0xff', '0xff');
    t.regex(await asked(t, target, 'mc', 'watchdog', 'get'), /Stopped/);
    t.is(lab.server.power(), 'on');
  });

  test(`ipmitool makes a user who can sign in with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { lab, suite };
    await asked(t, target, 'user', 'set', 'name', '3', 'bob');
    await asked(t, target, 'user', 'set', 'password', '3', 'swordfish');
    await asked(t, target, 'user', 'priv', '3', '3', '1');
    await asked(t, target, 'user', 'enable', '3');
    t.regex(await asked(t, target, 'user', 'list', '1'), /3 +bob .* OPERATOR/);
    const bob = { port: lab.port, suite, user: 'bob', password: 'swordfish' };
    const program = need.program('ipmitool');
    succeeded(t, await ipmitool(program, bob, '-L', 'OPERATOR', 'power', 'status'));
    const denied = await ipmitool(program, bob, '-L', 'OPERATOR', 'user', 'disable', '2');
    t.not(denied.code, 0);
    t.regex(denied.output, /Insufficient privilege/i);
  });

  test(`ipmitool types at the console with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    await lab.server.changePower('on');
    await eventually(() => lab.server.power() === 'on');
    const target = { port: lab.port, suite };
    const typed = [
      { after: 'operational', type: 'operator\r' },
      { after: ':~#', type: `echo SOL-${suite}-works\r` },
      { after: `^SOL-${suite}-works`, type: '~.' },
    ];
    const result = await ipmitoolConsole(need.program('ipmitool'), target, typed);
    // Once as it was typed, once as the answer.
    t.regex(result.output, new RegExp(`^SOL-${suite}-works`, 'm'), result.output);
  });

  test(`FreeIPMI switches and reads a server with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { port: lab.port, suite };
    const power = need.program('ipmipower');
    t.regex(succeeded(t, await freeipmi(power, target, '--stat')), /: off/);
    t.regex(succeeded(t, await freeipmi(power, target, '--on', '--wait-until-on')), /: ok/);
    t.is(lab.server.power(), 'on');
    lab.server.addLog({ severity: 'warning', message: 'A fan is slow' });
    const log = await freeipmi(need.program('ipmi-sel'), target);
    t.regex(succeeded(t, log), /Health +\| System Event +\| transition to Non-Critical from OK/);
    const sensors = await freeipmi(need.program('ipmi-sensors'), target);
    t.regex(succeeded(t, sensors), /CPU1 Temp +\| Temperature +\| \d+\.\d+ +\| C +\| 'OK'/);
  });

  test(`a wrong password is refused with suite ${suite}`, async (t) => {
    await using lab = await startIpmiLab();
    const target = { port: lab.port, suite, password: 'wrong' };
    const tool = await ipmitool(need.program('ipmitool'), target, 'power', 'status');
    t.not(tool.code, 0);
    const free = await freeipmi(need.program('ipmipower'), target, '--stat');
    t.regex(free.output, /password invalid/);
  });
}
