import { BmcTypeSchema } from '../../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type ScanControllersResponse,
  ScannedControllerSchema,
} from '../../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { enumWord } from '../../format/enum-word.ts';
import { type Shown, showList } from '../../output.ts';
import { inPartition, partitionParent, secretName } from '../../resource-names.ts';
import { hardware } from './ask.ts';

const SCAN_MS = 15 * 60_000;

const found: Shown<typeof ScannedControllerSchema> = {
  schema: ScannedControllerSchema,
  name: ({ address }) => address,
  columns: [
    { title: 'ADDRESS', value: ({ address }) => address },
    { title: 'PROTOCOL', value: ({ type }) => enumWord(BmcTypeSchema, type) },
    { title: 'VENDOR', value: ({ facts }) => facts?.vendor ?? '' },
    { title: 'MODEL', value: ({ facts }) => facts?.model ?? '' },
    { title: 'SERIAL', value: ({ facts }) => facts?.serialNumber ?? '' },
    { title: 'PROBLEM', value: ({ problem }) => problem },
  ],
};

export const scan: Command = {
  summary: 'look for controllers in a range of addresses, with one try to sign in at each',
  positionals: [
    {
      name: 'range',
      help: '10.0.0.1-10.0.0.99, 10.0.0.0/24 or an address; ":PORT" behind where it is no usual one',
    },
  ],
  rest: { name: 'ranges', help: 'more of them', optional: true },
  options: {
    secret: { type: 'string', value: 'NAME', help: 'secret to sign in with' },
    agent: { type: 'string', value: 'NAME', help: 'agent that looks (one that is connected)' },
  },
  examples: [
    'runm provider scan 10.0.0.0/24 --secret bmc-default --project infra',
    'runm provider scan 10.0.0.1-10.0.0.99:8443 --secret projects/infra/secrets/bmc-default',
  ],
  run: async (context, args) => {
    const [agent, secret] = [args.string('agent'), args.string('secret')];
    const request = {
      parent: partitionParent(context.settings),
      ranges: [args.positional('range'), ...args.rest],
      secret: secret === undefined ? '' : secretName(context.settings, secret),
      requestId: context.random.requestId(),
      ...(agent !== undefined && { agent: inPartition(context.settings, 'agents', agent) }),
    };
    const answer = await hardware(context).scanControllers(request, callOptions(context, SCAN_MS));
    await showList(context.output, found, answer.controllers);
    const where = answer.tried === 1 ? '1 address' : `${answer.tried} addresses`;
    context.output.remark(`${answer.controllers.length} found at ${where}`);
    if (context.output.mode === 'table') context.output.remark(`next: ${nextOf(answer)}`);
    return undefined;
  },
};

const nextOf = ({ controllers }: ScanControllersResponse): string =>
  controllers.length > 0
    ? 'runm discovery list, then runm discovery accept NAME PROVIDER'
    : 'is the port another than 443 (Redfish) and 623 (IPMI)? Then add it: 10.0.0.0/24:8443';
