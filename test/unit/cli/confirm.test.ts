/** What somebody at work would miss is asked for by its name, and done at many by one line. */
import { PassThrough } from 'node:stream';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { ProviderHardwareService } from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { ProviderLifeState } from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { ProviderStateService } from '../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import type { Command } from '../../../services/cli/command.ts';
import { log, raw, rotate } from '../../../services/cli/commands/hardware/controller.ts';
import {
  cycle,
  off,
  on,
  reset,
  softOff,
  status,
} from '../../../services/cli/commands/hardware/power.ts';
import { clean, maintain, retire } from '../../../services/cli/commands/provider-state.ts';
import { callCommand } from './call-command.ts';

const LAB = 'partitions/lab/providers';
const bmc = { type: BmcType.REDFISH, address: 'https://10.0.0.7' };

/** A rack of two servers, of which r1u2 is held, and a shelf without a controller. */
const rack = () => {
  const sent: string[] = [];
  const done = (what: string) => {
    sent.push(what);
    return {};
  };
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, {
      listProviders: ({ filter }) => ({
        providers:
          filter?.group === 'rack1'
            ? [
                { name: `${LAB}/r1u1`, spec: { bmc } },
                { name: `${LAB}/r1u2`, spec: { bmc } },
                { name: `${LAB}/shelf` },
              ]
            : [],
      }),
    });
    const state = ({ name }: { readonly name: string }) => {
      sent.push(name);
      return { providerState: { name, state: ProviderLifeState.MAINTENANCE } };
    };
    router.service(ProviderStateService, {
      cleanProvider: state,
      retireProvider: state,
      maintainProvider: state,
    });
    router.service(ProviderHardwareService, {
      getProviderPower: () => ({ power: PowerState.ON }),
      changeProviderPower: ({ name, force }) => {
        if (name.endsWith('r1u2') && !force) {
          throw new ConnectError('red/bench-1 holds it', Code.FailedPrecondition);
        }
        sent.push(name);
        return { power: PowerState.OFF };
      },
      clearProviderLog: ({ name }) => done(name),
      rotateProviderCredentials: ({ name }) => done(name),
      sendRawRequest: ({ request }) => done(request),
    });
  };
  return { sent, routes };
};

const terminal = (typed: string) => ({
  stdin: Object.assign(new PassThrough().end(typed), { isTTY: true, setRawMode: () => undefined }),
});

const VERBS: readonly (readonly [string, Command, readonly string[]])[] = [
  ['power off', off, []],
  ['power soft-off', softOff, []],
  ['power reset', reset, []],
  ['power cycle', cycle, []],
  ['log --clear', log, ['--clear']],
  ['rotate', rotate, []],
  ['clean', clean, []],
  ['retire', retire, ['--reason', 'too old']],
  ['raw', raw, ['POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset {}']],
];

for (const [title, verb, rest] of VERBS) {
  test(`${title} is done to the server whose name is typed, and to none without`, async (t) => {
    const { sent, routes } = rack();
    const argv = ['r1u1', ...rest];
    const alone = await callCommand(verb, argv, routes);
    t.is(alone.code, 2);
    t.regex(alone.stderr, /r1u1.*there is no terminal.*\n +add --yes/);
    const other = await callCommand(verb, argv, routes, terminal('r1u2\n'));
    t.is(other.code, 2);
    t.regex(other.stderr, /Type r1u1 to go on.*\n.*not confirmed; nothing was done/);
    t.not((await callCommand(verb, argv, routes, terminal(''))).code, 0, 'the terminal went away');
    t.is(sent.length, 0);
    t.is((await callCommand(verb, argv, routes, terminal('r1u1\n'))).code, 0);
    t.is((await callCommand(verb, [...argv, '--yes'], routes)).code, 0);
    t.is(sent.length, 2);
  });
}

test('what only reads is not asked for', async (t) => {
  const { sent, routes } = rack();
  for (const request of ['GET /redfish/v1', '06 01', '0a 40']) {
    t.is((await callCommand(raw, ['r1u1', request], routes)).code, 0);
  }
  t.is(sent.length, 3);
  for (const request of ['00 02 00', '0x00 0x02', '06 47 02', 'delete /redfish/v1/Tasks/1']) {
    t.is((await callCommand(raw, ['r1u1', request], routes)).code, 2, request);
  }
});

test('power of a rack is changed by one line, each server for itself', async (t) => {
  const { sent, routes } = rack();
  const slip = await callCommand(off, ['--group', 'rack1'], routes, terminal('r1u1\n'));
  t.regex(slip.stderr, /powers 2 providers \(r1u1 r1u2\) off at once. Type rack1/);
  t.is(sent.length, 0);
  const both = await callCommand(off, ['--group', 'rack1'], routes, terminal('rack1\n'));
  t.is(both.code, 5, 'the exit code is that of what was refused');
  t.is(
    both.stdout,
    'PROVIDER  POWER  PROBLEM\nr1u1      off    -\nr1u2      -      red/bench-1 holds it\n',
  );
  t.deepEqual(sent, [`${LAB}/r1u1`]);
  const forced = await callCommand(
    on,
    ['r1u1', 'r1u2', 'r1u1', '--force', '--reason', 'moved', '--json'],
    routes,
  );
  t.deepEqual(JSON.parse(forced.stdout), [
    { provider: 'r1u1', power: 'off' },
    { provider: 'r1u2', power: 'off' },
  ]);
});

test('power of a rack is read, and it is said what is meant by none', async (t) => {
  const { routes } = rack();
  const read = await callCommand(status, ['--group', 'rack1'], routes);
  t.is(read.stdout, 'PROVIDER  POWER\nr1u1      on\nr1u2      on\n');
  const none = await callCommand(status, ['--group', 'rack9'], routes);
  t.regex(none.stderr, /"rack9" has no provider\n.*runm group members rack9/);
  t.is((await callCommand(status, [], routes)).code, 2);
  t.is((await callCommand(status, ['r1u1', '--group', 'rack1'], routes)).code, 2);
});

test('a rack is closed for work by one line, with what has no controller', async (t) => {
  const { sent, routes } = rack();
  const argv = ['--group', 'rack1', '--reason', 'new feed'];
  const { stdout } = await callCommand(maintain, argv, routes);
  t.is(
    stdout,
    'PROVIDER  STATE\nr1u1      maintenance\nr1u2      maintenance\nshelf     maintenance\n',
  );
  t.is(sent.length, 3);
});
