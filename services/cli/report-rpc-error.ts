import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { InvalidStateSchema, NoCapacitySchema } from '../../gen/runmachine/common/v1/error_pb.ts';
import { EXIT } from './exit.ts';
import { jsonText } from './format/json-text.ts';
import { printable } from './format/table.ts';
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

/** Writes what a server answered, with its details and what to do next. */
export const reportRpcError = (output: Output, error: ConnectError, endpoint: string): number => {
  const info = error.findDetails(ErrorInfoSchema)[0];
  const exit = EXIT_BY_CODE[error.code] ?? EXIT.failed;
  if (output.mode === 'json') {
    output.remark(
      jsonText({
        code: Code[error.code],
        message: error.rawMessage,
        reason: info?.reason,
        metadata: info?.metadata,
      }),
    );
    return exit;
  }
  output.remark(`runm: ${printable(error.rawMessage)}`);
  for (const line of detailLines(error)) output.remark(`      ${printable(line)}`);
  const next = nextStep(error, info?.reason, endpoint);
  if (next) output.remark(`      ${next}`);
  return exit;
};

const detailLines = (error: ConnectError): string[] => {
  const state = error.findDetails(InvalidStateSchema)[0];
  const capacity = error.findDetails(NoCapacitySchema)[0];
  const retry = error.findDetails(RetryInfoSchema)[0];
  return [
    ...(state?.allowed.length ? [`allowed in: ${state.allowed.join(', ')}`] : []),
    ...(capacity?.steps ?? []).map((step) => `${step.constraint}: ${step.removed} ruled out`),
    ...(retry?.retryDelay ? [`try again in ${Number(retry.retryDelay.seconds)} s`] : []),
  ];
};

const nextStep = (error: ConnectError, reason: string | undefined, endpoint: string): string => {
  if (error.code === Code.Unauthenticated) {
    return 'next: check the token of your profile (`runm profile list`)';
  }
  if (error.code === Code.Unavailable && reason === undefined) {
    return `next: is runmachine running at ${endpoint}? Start it with \`npm start\``;
  }
  if (reason === 'ETAG_MISMATCH' || reason === 'BUSY') return 'next: read it again, then retry';
  return '';
};
