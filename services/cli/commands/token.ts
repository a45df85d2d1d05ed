import { createClient } from '@connectrpc/connect';
import { type Token, TokenSchema } from '../../../gen/runmachine/identity/v1/token_pb.ts';
import { TokenService } from '../../../gen/runmachine/identity/v1/token_service_pb.ts';
import { systemClock } from '../../runtime/clock.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { deleteCommand, listCommand, type Noun } from '../crud.ts';
import { jsonText } from '../format/json-text.ts';
import { formatAgo, parseSpanSeconds, secondsToDuration } from '../format/span.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';

const ago = (time: Parameters<typeof formatAgo>[0]): string => formatAgo(time, systemClock.now());

const noun: Noun<typeof TokenSchema> = {
  singular: 'token',
  schema: TokenSchema,
  name: (token) => token.name,
  fullName: (_, typed) => atTop('tokens', typed),
  columns: [
    { title: 'NAME', value: (token) => lastSegment(token.name) },
    { title: 'USER', value: (token: Token) => lastSegment(token.spec?.user ?? '') },
    { title: 'ENDS', value: (token: Token) => ago(token.status?.expireTime) },
    { title: 'LAST USE', value: (token: Token) => ago(token.status?.lastUseTime) },
  ],
  people: (token) => token.name,
};

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(TokenService, context.transport());
  const answer = await client.listTokens(page, callOptions(context));
  return { rows: answer.tokens, nextPageToken: answer.nextPageToken };
});

export const create: Command = {
  summary: 'make a token; its secret is printed once, on standard output',
  positionals: [{ name: 'name', help: 'name of the new token' }],
  options: {
    user: { type: 'string', value: 'NAME', help: 'user that it acts as (you)' },
    lifetime: { type: 'string', value: 'SPAN', help: 'how long it is good (30d)' },
  },
  run: async (context, args) => {
    const client = createClient(TokenService, context.transport());
    const [user, lifetime] = [args.string('user'), args.string('lifetime')];
    const answer = await client.createToken(
      {
        tokenId: newId(args.positional('name')),
        token: {
          spec: {
            user: user === undefined ? '' : atTop('users', user),
            ...(lifetime === undefined
              ? {}
              : { lifetime: secondsToDuration(parseSpanSeconds(lifetime, '--lifetime')) }),
          },
        },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (context.output.mode === 'json' && answer.token) {
      const { messageToJson } = await import('../format/message.ts');
      const token = messageToJson(TokenSchema, answer.token);
      context.output.result(jsonText({ token, secret: answer.secret }));
    } else {
      context.output.result(answer.secret);
    }
    context.output.remark('keep it now: it cannot be shown again');
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(TokenService, context.transport());
  await client.deleteToken(request, callOptions(context));
});
