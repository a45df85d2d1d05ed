import { createClient } from '@connectrpc/connect';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { WAIT_OPTIONS } from '../../crud.ts';
import { checkWait } from '../../wait-operation.ts';
import { finish } from './finish.ts';
import { machineNoun } from './noun.ts';

export const remove: Command = {
  summary: 'delete a machine with what its disks hold, and give back what it held',
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  options: {
    ...WAIT_OPTIONS,
    force: { type: 'boolean', help: 'also while somebody has the console of a server open' },
    'allow-missing': { type: 'boolean', help: 'succeed when it is not there' },
  },
  run: async (context, args) => {
    checkWait(args);
    const client = createClient(MachineService, context.transport());
    const answer = await client.deleteMachine(
      {
        name: machineNoun.fullName(context, args.positional('name')),
        allowMissing: args.flag('allow-missing'),
        force: args.flag('force'),
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    return finish(context, args, {
      operation: answer.operation,
      machine: answer.machine,
      already: 'it is not there',
      next: () => '',
    });
  },
};
