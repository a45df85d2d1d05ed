/** What programs read: one document, also of an error, of nothing and of what is gone. */
import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { ConsoleService } from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { MachineType } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { OperationService } from '../../../gen/runmachine/machine/v1/operation_service_pb.ts';
import { machineConsole } from '../../../services/cli/commands/machine/console.ts';
import { create } from '../../../services/cli/commands/machine/create.ts';
import { remove } from '../../../services/cli/commands/machine/delete.ts';
import { list } from '../../../services/cli/commands/machine/read.ts';
import { callCommand } from './call-command.ts';

const NAME = 'partitions/lab/projects/red/machines/bench-1';

const routes = (router: ConnectRouter) => {
  const operation = {
    name: 'partitions/lab/operations/o1',
    done: true,
    metadata: { target: NAME, verb: 'delete' },
  };
  router.service(MachineService, {
    listMachines: () => ({ machines: [] }),
    deleteMachine: () => ({
      operation,
      machine: {
        name: NAME,
        status: { type: MachineType.BARE_METAL, provider: 'partitions/lab/providers/r1u1' },
      },
    }),
  });
  router.service(OperationService, { waitOperation: () => ({ operation }) });
  router.service(ConsoleService, {
    getConsoleLog: () => ({ data: Buffer.from('boot log\n'), truncated: true }),
  });
};

test('a mistake is a document where one is asked for, with what would be right', async (t) => {
  const { code, stderr } = await callCommand(create, ['x', '--memory', '256MB', '--json'], routes);
  t.is(code, 2);
  t.deepEqual(JSON.parse(stderr), {
    message: '--memory: "256MB" is no multiple of 1 MiB',
    next: ['write it like 256MiB'],
  });
  const told = await callCommand(create, ['x', '--memory', '256MB'], routes);
  t.regex(told.stderr, /^runm: --memory: "256MB" is no multiple of 1 MiB\n {6}write it/);
});

test('an empty list says where there is nothing', async (t) => {
  t.is((await callCommand(list, [], routes)).stderr, 'none in project red\n');
  t.deepEqual(JSON.parse((await callCommand(list, ['--json'], routes)).stdout), []);
});

test('what was deleted is told, and that its server is cleaned', async (t) => {
  const told = await callCommand(remove, ['bench-1', '--wait'], routes);
  t.is(told.code, 0, told.stderr);
  t.regex(told.stderr, /bench-1 is deleted\nr1u1 is cleaned now, before anybody else gets it\n$/);
  const { stdout } = await callCommand(remove, ['bench-1', '--wait', '--json'], routes);
  t.deepEqual(JSON.parse(stdout), { name: NAME, deleted: true });
});

test('the log of a console is a document where one is asked for', async (t) => {
  const { stdout } = await callCommand(machineConsole, ['bench-1', '--log', '--json'], routes);
  t.deepEqual(JSON.parse(stdout), { text: 'boot log\n', truncated: true });
});
