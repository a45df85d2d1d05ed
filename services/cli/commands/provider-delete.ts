import { createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { lastSegment, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

export const remove: Command = {
  summary: 'delete providers; of several all or none',
  positionals: [{ name: 'name', help: 'name or uid of the provider' }],
  rest: { name: 'names', help: 'more of them', optional: true },
  options: { 'allow-missing': { type: 'boolean', help: 'succeed when it is not there' } },
  run: async (context, args) => {
    const client = createClient(ProviderService, context.transport());
    const typed = [args.positional('name'), ...args.rest];
    const names = typed.map((one) => providerNoun.fullName(context, one));
    const [name = ''] = names;
    const allowMissing = args.flag('allow-missing');
    if (names.length === 1) {
      await client.deleteProvider({ name, allowMissing }, callOptions(context));
    } else {
      if (allowMissing) {
        throw new UsageError('--allow-missing is for one provider', 'of several all must be there');
      }
      const request = {
        parent: partitionParent(context.settings),
        providers: [...new Set(names.map(lastSegment))],
        requestId: context.random.requestId(),
      };
      await client.batchDeleteProviders(request, callOptions(context));
    }
    for (const one of names) context.output.remark(`deleted ${one}`);
    return undefined;
  },
};
