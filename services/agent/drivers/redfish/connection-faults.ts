import { BmcError } from '../../bmc-port.ts';

/** What a failed connection means, by the codes of Node and undici. */

type Failed = {
  readonly origin: string;
  readonly provider: string;
  readonly signal: AbortSignal;
  readonly request: { readonly method: string; readonly path: string };
};

const NOT_THERE = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'],
  ...['EADDRNOTAVAIL', 'EHOSTDOWN', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'EPIPE'],
]);
/** It was there and went away; whether a write took effect is unknown. */
const BROKEN = new Set(['ECONNRESET', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);
const LATE = new Set([
  ...['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_ABORTED', 'ABORT_ERR'],
]);

export const faultOfConnection = (error: unknown, failed: Failed): BmcError => {
  if (error instanceof BmcError) return error;
  const { origin, provider, signal, request } = failed;
  const what = `${request.method} ${request.path} at BMC ${origin} of provider "${provider}"`;
  const code = codeOf(error);
  const isAborted = signal.aborted || LATE.has(code) || nameOf(error) === 'AbortError';
  if (isAborted) return new BmcError('timeout', `${what} was not answered in time`, [], error);
  if (NOT_THERE.has(code)) {
    return new BmcError('unreachable', `Nothing answers ${what} (${code})`, [], error);
  }
  if (BROKEN.has(code)) {
    return new BmcError('timeout', `${what} was cut off before its answer (${code})`, [], error);
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new BmcError(
    'protocol',
    `${what} was answered with what is not HTTP: ${detail}`,
    [],
    error,
  );
};

/** Whether the connection was closed under a call, as happens to one that was idle for long. */
export const wasCutOff = (error: unknown): boolean =>
  error instanceof BmcError && BROKEN.has(codeOf(error.cause));

const codeOf = (error: unknown): string => {
  if (typeof error !== 'object' || error === null) return '';
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
};

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');
