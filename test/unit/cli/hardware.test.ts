/** What operators type at controllers, and what is sent for it. */
import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import {
  BootDeviceType,
  BootMode,
  PowerChange,
} from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import {
  type ChangeProviderPowerRequest,
  ProviderHardwareService,
  type SendRawRequestRequest,
  type SetProviderBootDeviceRequest,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { list as biosList, set as biosSet } from '../../../services/cli/commands/hardware/bios.ts';
import { bootDevice } from '../../../services/cli/commands/hardware/boot-device.ts';
import {
  indicator,
  log,
  probe,
  raw,
  rotate,
} from '../../../services/cli/commands/hardware/controller.ts';
import {
  eject,
  insert,
  status as mediaStatus,
} from '../../../services/cli/commands/hardware/media.ts';
import { cycle, off, status } from '../../../services/cli/commands/hardware/power.ts';
import { callCommand } from './call-command.ts';

const R1 = 'partitions/lab/providers/r1u1';

const recording = () => {
  const seen: {
    powers: ChangeProviderPowerRequest[];
    devices: SetProviderBootDeviceRequest[];
    raws: SendRawRequestRequest[];
    settings: string[];
  } = { powers: [], devices: [], raws: [], settings: [] };
  const routes = (router: ConnectRouter) => {
    router.service(ProviderHardwareService, {
      getProviderPower: () => ({ power: PowerState.ON }),
      changeProviderPower: (request) => {
        seen.powers.push(request);
        return { power: PowerState.OFF };
      },
      setProviderBootDevice: (request) => {
        seen.devices.push(request);
        return request.bootDevice === undefined ? {} : { bootDevice: request.bootDevice };
      },
      probeProvider: () => ({
        report: {
          vendor: 'Lab',
          aspects: [
            { aspect: 'power', offered: true, driver: 'redfish', reading: 'on', milliseconds: 4 },
            { aspect: 'console', explanation: 'it has no serial line' },
          ],
        },
      }),
      listProviderLogEntries: () => ({ entries: [{ id: '7', message: 'fan \u001b[31mfailed' }] }),
      setProviderIndicator: ({ lit }) => ({ lit }),
      getProviderMedia: () => ({ url: '' }),
      insertProviderMedia: ({ url }) => ({ url }),
      ejectProviderMedia: () => ({}),
      listProviderBiosAttributes: () => ({
        attributes: [
          { name: 'BootMode', value: { case: 'text', value: 'Bios' } },
          { name: 'Cores', value: { case: 'number', value: 8 } },
          { name: 'Turbo', value: { case: 'flag', value: true } },
        ],
      }),
      setProviderBiosAttributes: ({ attributes }) => {
        seen.settings.push(...attributes.map(({ name, value }) => `${name} ${value.value}`));
        return {};
      },
      sendRawRequest: (request) => {
        seen.raws.push(request);
        return { response: '{"a": 1}' };
      },
      rotateProviderCredentials: () => ({ secret: 'projects/p/secrets/s' }),
    });
  };
  return { seen, routes };
};

test('power is read and changed at the provider that was named', async (t) => {
  const { seen, routes } = recording();
  t.is((await callCommand(status, ['r1u1'], routes)).stdout.trim(), 'r1u1 is on');
  const told = await callCommand(off, ['r1u1', '--yes'], routes);
  t.is(told.stdout.trim(), 'r1u1 is off');
  await callCommand(cycle, ['r1u1', '--force', '--reason', 'hangs', '--yes'], routes);
  t.like(seen.powers[0], { name: R1, change: PowerChange.OFF, force: false });
  t.like(seen.powers[1], { change: PowerChange.CYCLE, force: true, reason: 'hangs' });
});

test('who forces a change without a reason is told so, and nothing is sent', async (t) => {
  const { seen, routes } = recording();
  const { code, stderr } = await callCommand(off, ['r1u1', '--force'], routes);
  t.not(code, 0);
  t.regex(stderr, /--force needs --reason/);
  t.is(seen.powers.length, 0);
});

test('a boot device is set for the next boot unless it is said to be for all', async (t) => {
  const { seen, routes } = recording();
  const { stdout } = await callCommand(bootDevice, ['r1u1', 'network'], routes);
  t.regex(stdout, /network, next time only/);
  await callCommand(bootDevice, ['r1u1', 'disk', '--persistent', '--mode', 'uefi'], routes);
  t.like(seen.devices[0]?.bootDevice, { type: BootDeviceType.NETWORK, persistent: false });
  t.like(seen.devices[1]?.bootDevice, { persistent: true, mode: BootMode.UEFI });
  const wrong = await callCommand(bootDevice, ['r1u1', 'floppy'], routes);
  t.regex(wrong.stderr, /"floppy" is no boot device/);
});

test('a probe shows what is offered and why the rest is not', async (t) => {
  const { stdout } = await callCommand(probe, ['r1u1'], recording().routes);
  t.regex(stdout, /power +redfish +on +4 ms/);
  t.regex(stdout, /console +no .*it has no serial line/);
});

test('a log of a controller does not steer the terminal', async (t) => {
  const { stdout } = await callCommand(log, ['r1u1'], recording().routes);
  t.regex(stdout, /fan failed/);
  const wrong = await callCommand(log, ['r1u1', '--newest', 'all'], recording().routes);
  t.regex(wrong.stderr, /--newest: "all" is no number/);
});

test('raw requests, indicator and rotation answer in a line', async (t) => {
  const { seen, routes } = recording();
  const answer = await callCommand(raw, ['r1u1', 'GET /redfish/v1'], routes);
  t.is(answer.stdout.trim(), '{"a": 1}');
  t.is(seen.raws[0]?.request, 'GET /redfish/v1');
  t.regex((await callCommand(indicator, ['r1u1', 'on'], routes)).stdout, /is lit/);
  t.regex((await callCommand(rotate, ['r1u1', '-y'], routes)).stdout, /projects\/p\/secrets\/s/);
});

test('a medium is shown, inserted and ejected', async (t) => {
  const { routes } = recording();
  t.is(
    (await callCommand(mediaStatus, ['r1u1'], routes)).stdout.trim(),
    'the drive of r1u1 is empty',
  );
  const url = 'http://10.0.0.5/rescue.iso';
  const inserted = await callCommand(insert, ['r1u1', url], routes);
  t.is(inserted.stdout.trim(), `in the drive of r1u1: ${url}`);
  t.regex(inserted.stderr, /next: runm provider bootdev r1u1 cdrom/);
  t.is((await callCommand(eject, ['r1u1'], routes)).code, 2);
  t.is((await callCommand(eject, ['r1u1', '--yes'], routes)).code, 0);
});

test('settings of the firmware keep the type they have, and wrong ones are named', async (t) => {
  const { seen, routes } = recording();
  t.regex(
    (await callCommand(biosList, ['r1u1'], routes)).stdout,
    /BootMode +Bios\nCores +8\nTurbo +true/,
  );
  const words = ['BootMode=Uefi', 'Cores=4', 'Turbo=false'];
  const told = await callCommand(biosSet, ['r1u1', ...words, '--yes'], routes);
  t.deepEqual(seen.settings, ['BootMode Uefi', 'Cores 4', 'Turbo false']);
  t.regex(told.stdout, /from the next boot on: BootMode=Uefi Cores=4 Turbo=false/);
  const wrong = async (word: string) => (await callCommand(biosSet, ['r1u1', word], routes)).stderr;
  t.regex(await wrong('bootmode=Uefi'), /no setting "bootmode"\n +did you mean BootMode\?/);
  t.regex(await wrong('Cores=many'), /Cores: "many" is no number/);
  t.regex(await wrong('Turbo=yes'), /neither true nor false/);
  t.regex(await wrong('Turbo'), /write NAME=VALUE/);
});
