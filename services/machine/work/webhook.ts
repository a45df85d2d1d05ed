/**
 * A sink that posts events as JSON, signed as https://www.standardwebhooks.com says, so that its
 * libraries check them. The event's uid is the webhook-id: a receiver that has seen it drops it.
 */
import { createHmac } from 'node:crypto';
import { toJsonString } from '@bufbuild/protobuf';
import { EventSchema } from '../../../gen/runmachine/machine/v1/event_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventRecord } from '../domain/event.ts';
import type { Delivery, Sink } from '../domain/sink.ts';
import { eventMessage } from '../event-message.ts';
import { readSecret } from './sink-secret.ts';

export type WebhookConfig = {
  /** Unique among the webhooks; its place in the stream of events is kept under it. */
  readonly id: string;
  readonly url: string;
  readonly types: readonly string[];
  /** File (mode 0600) with the secret that signs. */
  readonly secretFile: string;
};

const TIMEOUT_MS = 5_000;
const ANSWER_SHOWN = 200;
/** Answers of who may want it later, beside all from 500 on. */
const LATER = new Set([408, 409, 425, 429]);

/** Errors: those of readSecret. */
export const createWebhook = async (clock: Clock, config: WebhookConfig): Promise<Sink> => {
  await readSecret(config.secretFile);
  return {
    key: `webhook ${config.id}`,
    types: config.types,
    recipients: async () => [''],
    deliver: (event) => post(clock, config, event),
  };
};

const post = async (clock: Clock, config: WebhookConfig, event: EventRecord): Promise<Delivery> => {
  const body = toJsonString(EventSchema, eventMessage(event));
  try {
    // Read for every event, so that a new secret counts at once.
    const secret = await readSecret(config.secretFile);
    const seconds = Math.floor(clock.now().getTime() / 1_000);
    const response = await fetch(config.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'runmachine',
        'webhook-id': event.uid,
        'webhook-timestamp': String(seconds),
        'webhook-signature': `v1,${sign(secret, `${event.uid}.${seconds}.${body}`)}`,
      },
      body,
      // What is signed for one receiver is not for another.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return await deliveryOf(response);
  } catch (error) {
    return { kind: 'later', why: reasonOf(error) };
  }
};

export const sign = (secret: Buffer, text: string): string =>
  createHmac('sha256', secret).update(text).digest('base64');

const deliveryOf = async (response: Response): Promise<Delivery> => {
  const { status } = response;
  if (response.ok) {
    await response.body?.cancel();
    return { kind: 'taken' };
  }
  const why = `the receiver answered ${status}: ${await beginningOf(response)}`;
  if (status < 500 && !LATER.has(status)) return { kind: 'refused', why };
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return { kind: 'later', why, ...(seconds > 0 && { afterMs: seconds * 1_000 }) };
};

/** An answer may be endless; its first part is enough. */
const beginningOf = async (response: Response): Promise<string> => {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return Buffer.from(value ?? new Uint8Array())
    .toString('utf8')
    .slice(0, ANSWER_SHOWN);
};

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
};
