import type { ConnectError } from '@connectrpc/connect';
import { type Advice, AdvisedError } from './advised-error.ts';
import { EXIT } from './exit.ts';
import { jsonText } from './format/json-text.ts';
import { printable } from './format/table.ts';
import type { Output } from './output.ts';
import { StoppedError } from './stopped-error.ts';
import { UsageError } from './usage-error.ts';

const NO_ADVICE: Advice = { next: [], suggestions: [] };

/** Writes an error with its cause and what to do next; resolves to the exit code of its class. */
export const reportError = async (
  output: Output,
  thrown: unknown,
  endpoint: string,
): Promise<number> => {
  const error = thrown instanceof AdvisedError ? thrown.cause : thrown;
  const advice = thrown instanceof AdvisedError ? thrown.advice : NO_ADVICE;
  if (error instanceof UsageError || error instanceof StoppedError) {
    tell(output, error.message, error.cure);
    return error instanceof StoppedError ? error.exitCode : EXIT.usage;
  }
  if (isConnectError(error)) {
    const { reportRpcError } = await import('./report-rpc-error.ts');
    return reportRpcError(output, error, { endpoint, ...advice });
  }
  tell(output, error instanceof Error ? error.message : String(error), '');
  return EXIT.failed;
};

const tell = (output: Output, message: string, cure: string): void => {
  if (output.mode === 'json') {
    output.remark(jsonText({ message, next: cure === '' ? [] : [cure] }));
    return;
  }
  output.remark(`runm: ${printable(message)}`);
  if (cure !== '') output.remark(`      ${printable(cure)}`);
};

// By its name: the class would bring the whole RPC library into calls that reach no server.
const isConnectError = (error: unknown): error is ConnectError =>
  error instanceof Error && error.name === 'ConnectError';
