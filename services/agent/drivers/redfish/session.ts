import { type BmcCredentials, BmcError } from '../../bmc-port.ts';
import type { Answer, Call, Exchange } from './exchange.ts';
import { failureOf, messageNamesIn, withoutSecret } from './messages.ts';
import { linkAt } from './resource.ts';

/**
 * Who we are at the controller: a session (DSP0266, Redfish session login authentication) that is
 * kept and reused, else basic authentication. A password that was refused is never sent again.
 */
export type Session = {
  readonly kind: () => 'session' | 'basic' | 'none';
  /** Once; throws `unauthorized` for a wrong user or password. */
  readonly signIn: (sessionsLink: string, signal: AbortSignal) => Promise<void>;
  /** Sends it as the user; signs in again once where the session has expired. */
  readonly send: (call: Call, signal: AbortSignal) => Promise<Answer>;
  /** After its password was changed over this very session. */
  readonly renew: (credentials: BmcCredentials) => void;
  /** Ends the session at the controller. */
  readonly signOut: (signal: AbortSignal) => Promise<void>;
};

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly error: BmcError }
  | { readonly kind: 'basic' }
  | { readonly kind: 'session'; readonly token: string; readonly link: string };

export const createSession = (exchange: Exchange, first: BmcCredentials): Session => {
  let credentials = first;
  let state: State = { kind: 'none' };
  let sessionsLink = '';

  const signIn = async (link: string, signal: AbortSignal): Promise<void> => {
    if (state.kind === 'refused') throw state.error;
    sessionsLink = link;
    if (link === '') {
      state = { kind: 'basic' };
      return;
    }
    const { user, password } = credentials;
    const call = { method: 'POST', link, body: { UserName: user, Password: password } } as const;
    const answer = await exchange.send(call, signal);
    state = stateAfter(answer, { link, exchange, password });
    if (state.kind === 'refused') throw state.error;
  };

  const send = async (call: Call, signal: AbortSignal): Promise<Answer> => {
    if (state.kind === 'refused') throw state.error;
    const answer = await exchange.send(signed(call, state, credentials), signal);
    if (answer.status !== 401 || state.kind === 'none') return answer;
    if (state.kind === 'session') {
      // Where that fails, it stays the one that has expired: the next call tries again.
      await signIn(sessionsLink, signal);
      const again = await exchange.send(signed(call, state, credentials), signal);
      if (again.status !== 401) return again;
    }
    const refusal = failureOf({ ...call, status: 401, body: answer.body });
    state = { kind: 'refused', error: refusal };
    throw refusal;
  };

  const signOut = async (signal: AbortSignal): Promise<void> => {
    const ended = state;
    state = { kind: 'none' };
    if (ended.kind !== 'session' || ended.link === '') return;
    const call = { method: 'DELETE', link: ended.link } as const;
    await exchange.send(signed(call, ended, credentials), signal);
  };

  const kind = () => (state.kind === 'refused' ? 'none' : state.kind);
  const renew = (next: BmcCredentials): void => {
    if (next.user === credentials.user) credentials = next;
  };
  return { kind, signIn, send, renew, signOut };
};

type SignInPlace = {
  readonly link: string;
  readonly exchange: Exchange;
  readonly password: string;
};

/** Answers that say "sessions are not for you" and not "you are wrong". */
const NO_SESSIONS = new Set([404, 405, 501]);

const stateAfter = (answer: Answer, { link, exchange, password }: SignInPlace): State => {
  const { status, body } = answer;
  if (NO_SESSIONS.has(status)) return { kind: 'basic' };
  // All sessions taken: basic authentication needs none.
  if (messageNamesIn(body).includes('SessionLimitExceeded')) return { kind: 'basic' };
  if (status >= 400) {
    const retryAfter = answer.headers['retry-after'] ?? '';
    const said = failureOf({ method: 'POST', link, status, body, retryAfter });
    const failure = withoutSecret(said, password);
    const isWrong = failure.fault === 'unauthorized' || status === 403 || status === 400;
    if (!isWrong) throw failure;
    const words = `User or password is wrong, or the account is locked: ${failure.message}`;
    return { kind: 'refused', error: new BmcError('unauthorized', words, failure.said) };
  }
  const token = answer.headers['x-auth-token'] ?? '';
  if (token === '') return { kind: 'basic' };
  return { kind: 'session', token, link: sessionLinkIn(answer, exchange) };
};

/** Location may name the controller by another of its names; the body then has the path. */
const sessionLinkIn = ({ headers, body }: Answer, exchange: Exchange): string => {
  for (const link of [headers.location ?? '', linkAt(body, '@odata.id')]) {
    try {
      if (link !== '') return exchange.pathOf(link);
    } catch {
      // Of another host.
    }
  }
  return '';
};

const signed = (call: Call, state: State, { user, password }: BmcCredentials): Call => {
  const headers =
    state.kind === 'session'
      ? { 'x-auth-token': state.token }
      : state.kind === 'basic'
        ? { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
        : {};
  return { ...call, headers: { ...call.headers, ...headers } };
};
