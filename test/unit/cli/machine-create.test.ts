import test from 'ava';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { create } from '../../../services/cli/commands/machine/create.ts';
import { callCommand } from './call-command.ts';

const refused = test.macro({
  exec: async (t, line: string, expected: RegExp) => {
    const { code, stderr } = await callCommand(create, ['web-1', ...line.split(' ')], (router) => {
      router.service(MachineService, {
        createMachine: () => {
          throw new Error('nothing may be asked');
        },
      });
    });
    t.is(code, 2);
    t.regex(stderr, expected);
  },
  title: (_, line) => `machine create refuses ${line}`,
});

test(refused, '--cpus 0', /--cpus: a machine needs more than 0\n *leave it out for the default/);
test(refused, '--cpus two', /--cpus: "two" is not a whole number/);
test(refused, '--memory 0', /--memory: a machine needs more than 0/);
test(refused, '--memory 5parsecs', /--memory: "5parsecs" is not a size/);
test(refused, '--image a --boot-none', /--image and --boot-none exclude each other/);
test(refused, '--on moon', /--on: "moon" is unknown/);
test(refused, '--forward ssh', /--forward: "ssh" is not HOST:GUEST/);
