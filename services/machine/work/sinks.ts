/** The sinks of a configuration; what is wrong with it is said at the start and not at night. */

import type { Clock } from '../../runtime/clock.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import type { Connect } from '../../runtime/service.ts';
import { type Sink, TYPE_PATTERN } from '../domain/sink.ts';
import { createContactsClient } from './contacts-client.ts';
import { createMail, type MailConfig } from './mail.ts';
import { createWebhook, type WebhookConfig } from './webhook.ts';

export type SinksConfig = {
  readonly webhooks: readonly WebhookConfig[];
  readonly mail?: MailConfig;
};

type Deps = { readonly clock: Clock; readonly connect: Connect; readonly cluster: string };

/**
 * Errors: invalid_argument INVALID_FIELD naming the setting, failed_precondition SECRET_INVALID
 * naming the file.
 */
export const createSinks = async (
  { clock, connect, cluster }: Deps,
  { webhooks, mail }: SinksConfig,
): Promise<readonly Sink[]> => {
  const ids = new Set<string>();
  for (const { id, url, types } of webhooks) {
    if (ids.has(id)) throw wrong('events.webhooks', `"${id}" stands twice`);
    ids.add(id);
    if (!isWebUrl(url)) throw wrong('events.webhooks', `the url of "${id}" is no http(s) URL`);
    demandTypes(`events.webhooks "${id}"`, types);
  }
  const sinks = await Promise.all(webhooks.map((webhook) => createWebhook(clock, webhook)));
  if (mail === undefined || mail.host === '') return sinks;
  if (!mail.from.includes('@')) throw wrong('events.mail.from', 'must be an address');
  const bad = mail.to.find((address) => !ADDRESS.test(address));
  if (bad !== undefined) throw wrong('events.mail.to', `"${bad}" is no address`);
  demandTypes('events.mail', mail.types);
  const contactsOf = createContactsClient(connect.transportTo('identity'));
  return [...sinks, await createMail({ config: mail, cluster, contactsOf })];
};

/** One mailbox and nothing beside it; whether it exists is for its server to say. */
const ADDRESS = /^[^\s@<>(),;:"[\]]+@[^\s@<>(),;:"[\]]+$/;

const isWebUrl = (url: string): boolean =>
  URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);

const demandTypes = (field: string, types: readonly string[]): void => {
  const bad = types.find((type) => !TYPE_PATTERN.test(type));
  if (bad !== undefined)
    throw wrong(field, `"${bad}" is no type of event, nor its beginning and *`);
  if (types.length === 0) throw wrong(field, 'names no types; "*" means all');
};

const wrong = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
