import { createClient } from '@connectrpc/connect';
import {
  IdentityService,
  type WhoAmIResponse,
  WhoAmIResponseSchema,
} from '../../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { formatAgo } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { lastSegment } from '../resource-names.ts';
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
    if (context.output.mode === 'table') context.output.remark(`next: ${nextOf(me)}`);
    return undefined;
  },
};

const nextOf = ({ grants, principal }: WhoAmIResponse): string => {
  if (grants.length > 0) return 'runm status, or runm machine list';
  const who = lastSegment(principal);
  return `whoever administers gives you a role: runm user grant ${who} member --in-project ID`;
};
