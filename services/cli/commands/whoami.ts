import { createClient } from '@connectrpc/connect';
import {
  IdentityService,
  WhoAmIResponseSchema,
} from '../../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { formatAgo } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { grantText } from './grant.ts';

export const whoami: Command = {
  summary: 'show who you are and what you may do',
  run: async (context) => {
    const client = createClient(IdentityService, context.transport());
    const me = await client.whoAmI({}, callOptions(context));
    await showOne(
      context.output,
      { schema: WhoAmIResponseSchema, name: (message) => message.principal },
      {
        message: me,
        people: () =>
          formatFields([
            ['principal', me.principal],
            ['installation', me.cluster],
            ['endpoint', context.settings.endpoint],
            ['profile', context.settings.profile],
            ['partition', context.settings.partition],
            ['project', context.settings.project],
            ['roles', me.grants.map(grantText).join(', ')],
            [
              'credential ends',
              me.expireTime ? formatAgo(me.expireTime, context.clock.now()) : 'never',
            ],
          ]),
      },
    );
    return undefined;
  },
};
