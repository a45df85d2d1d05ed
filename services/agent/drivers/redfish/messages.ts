import { BmcError, type BmcFault } from '../../bmc-port.ts';
import { asResource, at, type Resource, textAt } from './resource.ts';

/**
 * What a service says of an error: `error.@Message.ExtendedInfo` (DSP0266, error responses), the
 * annotation in the body of what did succeed, or that of one property (OpenBMC refuses so).
 * Bounded, since it is shown to people.
 */

const SENTENCES_MAX = 10;
const SENTENCE_CHARACTERS_MAX = 400;

/** Its own words: each message with what it recommends. */
export const saidIn = (body: unknown): readonly string[] => {
  const infos = infosOf(body);
  const plain = textAt(body, 'error', 'message');
  const found = infos.map(sentenceOf).filter((one) => one !== '');
  // Some name a message and say it beside (sushy-tools), others only refer to it there (iLO 4).
  const isSaid = infos.some((info) => textAt(info, 'Message') !== '');
  const beside = isSaid || plain === '' || /ExtendedInfo/i.test(plain) ? [] : [plain];
  const said = found.length > 0 || plain === '' ? [...found, ...beside] : [plain];
  return [...new Set(said)].slice(0, SENTENCES_MAX).map(shortened);
};

/** Names of the messages without registry and version: `ActionParameterNotSupported`. */
export const messageNamesIn = (body: unknown): readonly string[] =>
  [...infosOf(body).map(idOf), textAt(body, 'error', 'code')]
    .map((id) => id.split('.').at(-1) ?? '')
    .filter((name) => name !== '');

const ANNOTATION = '@Message.ExtendedInfo';

/** Some send the only one without a list around it. */
const infosOf = (body: unknown): readonly Resource[] => {
  const whole = asResource(body);
  const annotated = Object.keys(whole).filter((name) => name.endsWith(ANNOTATION));
  return [at(whole, 'error', ANNOTATION), ...annotated.map((name) => whole[name])]
    .flatMap((infos) => (Array.isArray(infos) ? infos : [infos]))
    .map(asResource);
};

/** iLO 4 spells it MessageID. */
const idOf = (info: Resource): string => textAt(info, 'MessageId') || textAt(info, 'MessageID');

const sentenceOf = (info: Resource): string => {
  const message = textAt(info, 'Message') || idOf(info);
  const cure = textAt(info, 'Resolution');
  return cure === '' || /^none\.?$/i.test(cure) ? message : `${message} ${cure}`;
};

const shortened = (text: string): string =>
  text.length <= SENTENCE_CHARACTERS_MAX ? text : `${text.slice(0, SENTENCE_CHARACTERS_MAX)}…`;

const UNAUTHORIZED =
  /^(?:NoValidSession|Unauthorized\w*|InvalidCredentials|AuthenticationFailed|AccountLocked\w*)$/;
/** Of a password that counts for nothing but changing it (DSP0266, password change). */
const MUST_CHANGE = 'PasswordChangeRequired';
/** The last one is iLO's: what is set for the next boot cannot be written while it boots. */
const BUSY =
  /^(?:SessionLimitExceeded|Service(?:TemporarilyUnavailable|ShuttingDown)|\w+DuringSystemPOST)$/;
const UNSUPPORTED = /^(?:ActionNotSupported|OperationNotAllowed|ResourceNotFound)$/;

/** Which fault an answer of 400 and above is. */
export const faultOf = (status: number, body: unknown): BmcFault => {
  const names = messageNamesIn(body);
  const isUnauthorized = names.some((name) => UNAUTHORIZED.test(name) || name === MUST_CHANGE);
  if (status === 401 || isUnauthorized) return 'unauthorized';
  if (status === 503 || status === 429 || names.some((name) => BUSY.test(name))) return 'busy';
  if ([404, 405, 410, 501].includes(status)) return 'unsupported';
  return names.some((name) => UNSUPPORTED.test(name)) ? 'unsupported' : 'refused';
};

export type FailedCall = {
  readonly method: string;
  readonly link: string;
  readonly status: number;
  readonly body: unknown;
  /** Seconds or a date; empty: it did not say. */
  readonly retryAfter?: string;
};

/** An answer of 400 and above. */
export class AnsweredError extends BmcError {
  readonly status: number;

  constructor(status: number, fault: BmcFault, message: string, said: readonly string[]) {
    super(fault, message, said);
    this.status = status;
  }
}

export const failureOf = ({
  method,
  link,
  status,
  body,
  retryAfter = '',
}: FailedCall): AnsweredError => {
  const said = saidIn(body);
  const words = said.length === 0 ? '' : `: ${said.join(' ')}`;
  const later = retryAfter === '' ? '' : ` (retry after ${shortened(retryAfter)})`;
  return new AnsweredError(
    status,
    faultOf(status, body),
    `${method} ${link} was answered with ${status}${later}${words}`,
    said,
  );
};

/** Some repeat in their answer the password that they refuse; people and logs must not see it. */
export const withoutSecret = (error: BmcError, secret: string): BmcError => {
  const hidden = (text: string): string => (secret === '' ? text : text.replaceAll(secret, '…'));
  return new BmcError(error.fault, hidden(error.message), error.said.map(hidden), error.cause);
};
