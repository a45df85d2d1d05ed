import { type Client, createClient } from '@connectrpc/connect';
import type { Operation } from '../../../../gen/runmachine/common/v1/operation_pb.ts';
import type { Machine } from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context } from '../../command.ts';
import { WAIT_OPTIONS } from '../../crud.ts';
import { parseSpanSeconds, secondsToDuration } from '../../format/span.ts';
import { checkWait } from '../../wait-operation.ts';
import { finish } from './finish.ts';
import { machineNoun } from './noun.ts';

type Answer = { operation?: Operation | undefined; machine?: Machine | undefined };
type Call = { client: Client<typeof MachineService>; context: Context; args: Args };
type Send = (call: Call, request: { name: string; requestId: string }) => Promise<Answer>;

const powerCommand = (verb: {
  summary: string;
  already: string;
  next: (name: string) => string;
  options?: Command['options'];
  send: Send;
}): Command => ({
  summary: verb.summary,
  positionals: [{ name: 'name', help: 'name or uid of the machine' }],
  options: { ...WAIT_OPTIONS, ...verb.options },
  run: async (context, args) => {
    checkWait(args);
    const client = createClient(MachineService, context.transport());
    const name = machineNoun.fullName(context, args.positional('name'));
    const request = { name, requestId: context.random.requestId() };
    const answer = await verb.send({ client, context, args }, request);
    return finish(context, args, {
      operation: answer.operation,
      machine: answer.machine,
      already: verb.already,
      next: verb.next,
    });
  },
});

export const start = powerCommand({
  summary: 'power a machine on and boot it',
  already: 'it runs already',
  next: (name) => `runm machine console ${name}`,
  send: ({ client, context }, request) => client.startMachine(request, callOptions(context)),
});

export const shutdown = powerCommand({
  summary: 'ask the guest to power off; never forces it',
  already: 'it is off already',
  next: (name) => `runm machine start ${name}`,
  send: ({ client, context }, request) => client.shutdownMachine(request, callOptions(context)),
});

export const stop = powerCommand({
  summary: 'ask the guest to power off and force it after a time',
  already: 'it is off already',
  next: (name) => `runm machine start ${name}`,
  options: {
    'force-after': {
      type: 'string',
      value: 'SPAN',
      help: 'how long the guest may take (30s); 0 forces at once',
    },
  },
  send: ({ client, context, args }, request) => {
    const forceAfter = args.string('force-after');
    const extra =
      forceAfter === undefined
        ? {}
        : { forceAfter: secondsToDuration(parseSpanSeconds(forceAfter, '--force-after')) };
    return client.stopMachine({ ...request, ...extra }, callOptions(context));
  },
});

export const reset = powerCommand({
  summary: 'boot a machine anew at once, without asking its guest',
  already: 'nothing to do',
  next: (name) => `runm machine console ${name}`,
  send: ({ client, context }, request) => client.resetMachine(request, callOptions(context)),
});

export const pause = powerCommand({
  summary: "halt a machine's processors; its memory is kept",
  already: 'it is paused already',
  next: (name) => `runm machine resume ${name}`,
  send: ({ client, context }, request) => client.pauseMachine(request, callOptions(context)),
});

export const resume = powerCommand({
  summary: "let a paused machine's processors run again",
  already: 'it runs already',
  next: () => '',
  send: ({ client, context }, request) => client.resumeMachine(request, callOptions(context)),
});
