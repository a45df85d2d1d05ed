import { create as message } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { MachineSchema } from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { showOne } from '../../output.ts';
import { PROPERTY_OPTIONS, propertyChanges } from '../../property-options.ts';
import { machineNoun } from './noun.ts';

export const update: Command = {
  summary: "change a machine's tags and properties",
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  options: PROPERTY_OPTIONS,
  run: async (context, args) => {
    const client = createClient(MachineService, context.transport());
    const name = machineNoun.fullName(context, args.positional('name'));
    const current = (await client.getMachine({ name }, callOptions(context))).machine;
    const changes = propertyChanges(args, current ?? message(MachineSchema, {}));
    const answer = await client.updateMachine(
      {
        machine: {
          name,
          etag: current?.etag ?? '',
          tags: changes.tags,
          properties: changes.properties,
        },
        updateMask: { paths: changes.paths },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (answer.machine) {
      const machine = answer.machine;
      await showOne(context.output, machineNoun, {
        message: machine,
        people: () => machineNoun.people(machine, context),
      });
    }
    return undefined;
  },
};
