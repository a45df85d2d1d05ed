/**
 * A sink that writes mail: to configured addresses, and of claims to the contacts of their project.
 * Everybody gets a message of his own, so that nobody sees whom else it went to and one wrong
 * address keeps no other from his.
 */
import { createHash } from 'node:crypto';
import type { EventRecord } from '../domain/event.ts';
import type { Delivery, Sink } from '../domain/sink.ts';
import { readText } from './sink-secret.ts';

export type MailConfig = {
  /** Empty = no mail is sent. */
  readonly host: string;
  readonly port: number;
  /** starttls demands it; tls from the first byte; none for a relay on the same host. */
  readonly security: 'starttls' | 'tls' | 'none';
  /** Empty = without login. */
  readonly user: string;
  readonly passwordFile: string;
  readonly from: string;
  /** Who gets every event of these types. */
  readonly to: readonly string[];
  readonly types: readonly string[];
};

type Deps = {
  readonly config: MailConfig;
  readonly cluster: string;
  /** Addresses of a project. Errors: unavailable. */
  readonly contactsOf: (project: string, signal: AbortSignal) => Promise<readonly string[]>;
};

const CONNECT_MS = 5_000;
const SILENCE_MS = 5_000;
/** Of these the contacts of a project are told. */
const CONTACTS_TYPES = 'claim.';

/** Errors: those of readText. */
export const createMail = async ({ config, cluster, contactsOf }: Deps): Promise<Sink> => {
  if (config.user !== '') await readText(config.passwordFile);
  return {
    key: 'mail',
    types: config.types,
    recipients: async (event, signal) => {
      const isContacts = event.project !== '' && event.type.startsWith(CONTACTS_TYPES);
      const contacts = isContacts ? await contactsOf(event.project, signal) : [];
      return distinct([...config.to, ...contacts]);
    },
    deliver: (event, recipient) => send({ config, cluster, event, recipient }),
  };
};

/** Mailboxes that differ in case only are the same in practice. */
const distinct = (addresses: readonly string[]): readonly string[] =>
  [...new Map(addresses.toReversed().map((one) => [one.toLowerCase(), one])).values()].toReversed();

type Letter = {
  readonly config: MailConfig;
  readonly cluster: string;
  readonly event: EventRecord;
  readonly recipient: string;
};

const send = async ({ config, cluster, event, recipient }: Letter): Promise<Delivery> => {
  const transport = await connect(config);
  try {
    await transport.sendMail({
      from: config.from,
      to: recipient,
      subject: subjectOf(event),
      text: textOf(event),
      // The same for every try: a mailbox that has it already knows it again.
      messageId: `<${event.uid}.${shortOf(recipient)}@${cluster}>`,
      headers: { 'auto-submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return { kind: 'taken' };
  } catch (error) {
    return deliveryOf(error);
  } finally {
    transport.close();
  }
};

/** Loaded when there is something to send: most installations send no mail. */
const connect = async (config: MailConfig) => {
  const { createTransport } = await import('nodemailer');
  const { host, port, security, user } = config;
  return createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    ...(user !== '' && { auth: { user, pass: await readText(config.passwordFile) } }),
  });
};

/**
 * 5xx to this letter, and an address that is none, is a word for good; 4xx to its recipient is said
 * of one mailbox. What else fails concerns all letters: the way there, or our login.
 */
const deliveryOf = (error: unknown): Delivery => {
  const { responseCode, code, command, message } = error as {
    readonly responseCode?: number;
    readonly code?: string;
    readonly command?: string;
    readonly message?: string;
  };
  const why = message ?? String(error);
  const isOfLetter = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (!isOfLetter) return { kind: 'later', why };
  if (responseCode === undefined || responseCode >= 500) return { kind: 'refused', why };
  return { kind: command === 'RCPT TO' ? 'set_aside' : 'later', why };
};

const subjectOf = ({ type, target }: EventRecord): string =>
  `${type}: ${target.slice(target.lastIndexOf('/') + 1)}`;

const textOf = (event: EventRecord): string =>
  [
    event.message,
    '',
    `object: ${event.target}`,
    `event: ${event.type}, events/${event.uid}`,
    `time: ${new Date(event.timeMs).toISOString()}`,
    ...Object.entries(event.data).map(([key, value]) => `${key}: ${value}`),
    '',
  ].join('\n');

const shortOf = (recipient: string): string =>
  createHash('sha256').update(recipient.toLowerCase()).digest('hex').slice(0, 16);
