import { timestampDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  type Operation,
  type OperationStep,
  StepState,
} from '../../gen/runmachine/common/v1/operation_pb.ts';
import { OperationService } from '../../gen/runmachine/machine/v1/operation_service_pb.ts';
import type { Args, Context } from './command.ts';
import { formatSpanMs, parseSpanSeconds, secondsToDuration, spanText } from './format/span.ts';
import { lastSegment } from './resource-names.ts';
import { statusError } from './status-error.ts';
import { StoppedError } from './stopped-error.ts';
import { UsageError } from './usage-error.ts';

/**
 * Waits for the end of an operation and writes each step as it ends. Ctrl-C leaves it running and
 * says how to go on waiting. Throws the operation's error as an RPC would.
 */
export const waitOperation = async (
  context: Context,
  operation: Operation,
  args?: Args,
): Promise<Operation> => {
  const limit = args === undefined ? WAIT_SECONDS : waitSeconds(args);
  const endMs = context.clock.monotonicMs() + limit * 1000;
  const client = createClient(OperationService, context.transport());
  const told = new Set<string>();
  let current = operation;
  for (;;) {
    tellSteps(context, current, told);
    if (current.done) return checked(current);
    if (context.clock.monotonicMs() >= endMs) {
      throw new StoppedError(
        'late',
        `${lastSegment(operation.name)} is not done after ${spanText(limit)}`,
        `it goes on; wait again with \`runm operation wait ${lastSegment(operation.name)}\``,
      );
    }
    try {
      const answer = await client.waitOperation(
        { name: operation.name, timeout: secondsToDuration(1) },
        { timeoutMs: 20_000, signal: context.signal },
      );
      current = answer.operation ?? current;
    } catch (error) {
      if (context.signal.aborted) {
        throw new StoppedError(
          'interrupted',
          'stopped waiting; the operation goes on',
          `wait again with \`runm operation wait ${lastSegment(operation.name)}\``,
        );
      }
      if (!isPassing(error)) throw error;
      await context.clock.sleep(500, context.signal);
    }
  }
};

const WAIT_SECONDS = 15 * 60;

/** A boot that may take longer is waited for that much longer. */
const waitSeconds = (args: Args): number => {
  const [given, boot] = [args.string('timeout'), args.string('boot-timeout')];
  if (given !== undefined) return parseSpanSeconds(given, '--timeout');
  return WAIT_SECONDS + (boot === undefined ? 0 : parseSpanSeconds(boot, '--boot-timeout'));
};

/** Before anything is set going: a wait that cannot be must not leave half of what was asked. */
export const checkWait = (args: Args): void => {
  waitSeconds(args);
  if (args.string('timeout') === undefined || args.flag('wait')) return;
  throw new UsageError('--timeout needs --wait', 'without --wait nothing is waited for');
};

/** A server that restarts comes back; the operation goes on meanwhile. */
const isPassing = (error: unknown): boolean =>
  error instanceof ConnectError &&
  (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded);

const tellSteps = (context: Context, operation: Operation, told: Set<string>): void => {
  const steps = operation.metadata?.steps ?? [];
  for (const step of steps) {
    if (step.state !== StepState.DONE || told.has(step.name)) continue;
    told.add(step.name);
    if (context.output.mode === 'table') context.output.remark(`  ${stepLine(step)}`);
  }
  const running = steps.find((step) => step.state === StepState.RUNNING);
  if (running && !operation.done) {
    const since = running.startTime ? timestampDate(running.startTime).getTime() : 0;
    const spent = since
      ? `  ${formatSpanMs(Math.max(0, context.clock.now().getTime() - since))}`
      : '';
    context.output.progress(`  ${running.name}…${spent} ${running.note}`);
  }
};

const stepLine = (step: OperationStep): string => {
  const spentMs =
    step.startTime && step.endTime
      ? timestampDate(step.endTime).getTime() - timestampDate(step.startTime).getTime()
      : 0;
  const spent = formatSpanMs(Math.max(0, spentMs)).padStart(7);
  return `${step.name.padEnd(10)} ${spent}  ${step.note}`.trimEnd();
};

const checked = (operation: Operation): Operation => {
  if (operation.result.case === 'error') throw statusError(operation.result.value);
  return operation;
};
