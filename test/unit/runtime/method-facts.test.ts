import { create } from '@bufbuild/protobuf';
import test from 'ava';
import {
  AttachConsoleRequestSchema,
  ConsoleService,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import {
  CreateMachineRequestSchema,
  MachineService,
  UpdateMachineRequestSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { factsOf } from '../../../services/runtime/rpc/method-facts.ts';

const PARENT = 'partitions/lab/projects/red';

test('a creation acts under its parent, whatever the output-only name says', (t) => {
  const { namesIn } = factsOf(MachineService, MachineService.method.createMachine);
  const request = create(CreateMachineRequestSchema, {
    parent: PARENT,
    machine: { name: 'partitions/lab/projects/blue/machines/m1' },
  });
  t.deepEqual(namesIn(request), [PARENT]);
});

test('an update acts where the name of its resource says', (t) => {
  const { namesIn } = factsOf(MachineService, MachineService.method.updateMachine);
  const name = `${PARENT}/machines/m1`;
  t.deepEqual(namesIn(create(UpdateMachineRequestSchema, { machine: { name } })), [name]);
  t.deepEqual(namesIn(create(UpdateMachineRequestSchema, {})), []);
});

test('a stream acts where its first message says', (t) => {
  const { namesIn } = factsOf(ConsoleService, ConsoleService.method.attachConsole);
  const name = `${PARENT}/machines/m1`;
  const first = create(AttachConsoleRequestSchema, { content: { case: 'open', value: { name } } });
  t.deepEqual(namesIn(first), [name]);
});
