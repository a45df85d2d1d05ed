import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '../../gen/google/rpc/error_details_pb.ts';
import {
  InvalidStateSchema,
  type NoCapacity,
  NoCapacitySchema,
} from '../../gen/runmachine/common/v1/error_pb.ts';
import type { Advice } from './advised-error.ts';
import { EXIT } from './exit.ts';
import { formatAmount } from './format/amount.ts';
import { funnelLines, suggestionLines, withSizes } from './format/funnel.ts';
import { jsonText } from './format/json-text.ts';
import { formatLocalTime, spanText } from './format/span.ts';
import { printable } from './format/table.ts';
import { nextSteps } from './next-steps.ts';
import type { Output } from './output.ts';

const EXIT_BY_CODE: Readonly<Partial<Record<Code, number>>> = {
  [Code.InvalidArgument]: EXIT.usage,
  [Code.OutOfRange]: EXIT.usage,
  [Code.NotFound]: EXIT.notFound,
  [Code.AlreadyExists]: EXIT.conflict,
  [Code.Aborted]: EXIT.conflict,
  [Code.FailedPrecondition]: EXIT.precondition,
  [Code.Unauthenticated]: EXIT.denied,
  [Code.PermissionDenied]: EXIT.denied,
  [Code.ResourceExhausted]: EXIT.exhausted,
  [Code.Unavailable]: EXIT.unavailable,
  [Code.DeadlineExceeded]: EXIT.unavailable,
  [Code.Canceled]: EXIT.interrupted,
};

export const exitCodeOf = (error: ConnectError): number => EXIT_BY_CODE[error.code] ?? EXIT.failed;

type Asked = Advice & { readonly endpoint: string };

/** Writes what a server answered, with its details and what to do next. */
export const reportRpcError = (output: Output, error: ConnectError, asked: Asked): number => {
  const next = asked.next.length ? asked.next : nextSteps(error, asked.endpoint);
  if (output.mode === 'json') {
    output.remark(jsonText({ ...errorDocument(error, asked.suggestions), next }));
    return exitCodeOf(error);
  }
  output.remark(`runm: ${printable(headline(error))}`);
  const lines = [...detailLines(error), ...suggestionLines(asked.suggestions)];
  for (const line of lines) output.remark(`      ${printable(line)}`);
  next.forEach((step, index) => {
    output.remark(`      ${index === 0 ? 'next: ' : '      '}${printable(step)}`);
  });
  return exitCodeOf(error);
};

/** The same for a program. */
const errorDocument = (error: ConnectError, suggestions: readonly string[]) => {
  const info = error.findDetails(ErrorInfoSchema)[0];
  const capacity = error.findDetails(NoCapacitySchema)[0];
  const violations = error.findDetails(BadRequestSchema).flatMap((one) => one.fieldViolations);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info?.reason,
    metadata: info?.metadata,
    ...(violations.length && {
      violations: violations.map(({ field, description }) => ({ field, description })),
    }),
    ...(capacity && {
      capacity: {
        steps: capacity.steps.map(({ constraint, removed }) => ({ constraint, removed })),
        fitsWithout: capacity.fitsWithout,
        suggestions: [...capacity.suggestions, ...suggestions],
      },
    }),
    ...(!capacity && suggestions.length && { suggestions }),
  };
};

/** The message, without what the lines below it say in the words of people. */
const headline = (error: ConnectError): string => {
  const { metadata = {} } = error.findDetails(ErrorInfoSchema)[0] ?? {};
  if (error.findDetails(NoCapacitySchema)[0]?.steps.length) {
    return error.rawMessage.split(': of ')[0] ?? error.rawMessage;
  }
  if (lengthLines(error).length) return error.rawMessage.split(': project ')[0] ?? '';
  if (!isQuotaUsedUp(error)) return error.rawMessage;
  const whose = metadata.user ? `${metadata.user} in project` : 'Project';
  return `${whose} "${metadata.project}" may not hold that much`;
};

/** A refusal on one line, for a table. */
export const refusalText = (error: ConnectError): string => {
  const { fitsWithout = [] } = error.findDetails(NoCapacitySchema)[0] ?? {};
  const hint = fitsWithout.map(withSizes).join(', or without ');
  return `${headline(error)}${hint && `; it would fit without ${hint}`}`;
};

const isQuotaUsedUp = (error: ConnectError): boolean => {
  const info = error.findDetails(ErrorInfoSchema)[0];
  return info?.reason === 'QUOTA_EXCEEDED' && quotaLines(info.metadata).length > 0;
};

const detailLines = (error: ConnectError): string[] => {
  const info = error.findDetails(ErrorInfoSchema)[0];
  const state = error.findDetails(InvalidStateSchema)[0];
  const capacity = error.findDetails(NoCapacitySchema)[0];
  const retry = error.findDetails(RetryInfoSchema)[0];
  const length = lengthLines(error);
  const violations = error
    .findDetails(BadRequestSchema)
    .flatMap((one) => one.fieldViolations)
    .filter(({ description }) => !length.length && !error.rawMessage.includes(description));
  return [
    ...violations.map(({ field, description }) => `${field}: ${description}`),
    ...length,
    ...(state?.allowed.length ? [`allowed in: ${state.allowed.join(', ')}`] : []),
    ...(capacity ? capacityLines(capacity, info?.metadata ?? {}) : []),
    ...(info && isQuotaUsedUp(error) ? quotaLines(info.metadata) : []),
    ...(retry?.retryDelay ? [`try again in ${Number(retry.retryDelay.seconds)} s`] : []),
  ];
};

type Metadata = Readonly<Record<string, string>>;

const capacityLines = (capacity: NoCapacity, metadata: Metadata): string[] => {
  const removed = capacity.steps.reduce((sum, step) => sum + step.removed, 0);
  const providers = Number(metadata.providers ?? removed);
  const { steps, fitsWithout, suggestions } = capacity;
  return [...funnelLines({ providers, steps, fitsWithout }), ...suggestionLines(suggestions)];
};

/** Of a claim that is longer than its project may have; nothing of another error. */
const lengthLines = (error: ConnectError): string[] => {
  const info = error.findDetails(ErrorInfoSchema)[0];
  const { project = '', claimLengthMax = '', latestReleaseTime = '' } = info?.metadata ?? {};
  const seconds = Number(/^(\d+(?:\.\d+)?) s$/.exec(claimLengthMax)?.[1]);
  const latest = new Date(latestReleaseTime);
  if (info?.reason !== 'CLAIM_TOO_LONG' || !(seconds > 0) || !Number.isFinite(latest.getTime())) {
    return [];
  }
  const until = formatLocalTime(timestampFromDate(latest));
  return [
    `a claim of project "${project}" lasts at most ${spanText(seconds)}, here until ${until}`,
  ];
};

/** Nothing where the numbers are not all told. */
const quotaLines = ({ resourceType = '', ...metadata }: Metadata): string[] => {
  const amounts = ['limit', 'used', 'wanted'].map((key) => {
    const amount = metadata[key];
    return amount && /^\d+$/.test(amount)
      ? `${key} ${formatAmount(resourceType, BigInt(amount))}`
      : undefined;
  });
  return amounts.includes(undefined) ? [] : [`${resourceType}: ${amounts.join(', ')}`];
};
