import { createClient } from '@connectrpc/connect';
import {
  type Operation,
  OperationSchema,
  StepStateSchema,
} from '../../../gen/runmachine/common/v1/operation_pb.ts';
import { OperationService } from '../../../gen/runmachine/machine/v1/operation_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { getCommand, listCommand, type Noun, WAIT_OPTIONS } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { inPartition, lastSegment, partitionParent } from '../resource-names.ts';
import { waitOperation } from '../wait-operation.ts';

const outcome = (operation: Operation): string => {
  if (!operation.done) return operation.metadata?.cancelRequested ? 'cancelling' : 'running';
  return operation.result.case === 'error' ? 'failed' : 'done';
};

const noun: Noun<typeof OperationSchema> = {
  singular: 'operation',
  schema: OperationSchema,
  name: (operation) => operation.name,
  fullName: (context, typed) => inPartition(context.settings, 'operations', typed),
  columns: [
    { title: 'NAME', value: (operation) => lastSegment(operation.name) },
    { title: 'VERB', value: (operation) => operation.metadata?.verb ?? '' },
    { title: 'TARGET', value: (operation) => lastSegment(operation.metadata?.target ?? '') },
    { title: 'STATE', value: outcome },
    { title: 'BEGUN', value: (operation) => formatLocalTime(operation.metadata?.createTime) },
  ],
  people: (operation) =>
    formatFields([
      ['name', operation.name],
      ['verb', operation.metadata?.verb ?? ''],
      ['target', operation.metadata?.target ?? ''],
      ['caller', operation.metadata?.caller ?? ''],
      ['state', outcome(operation)],
      ['error', operation.result.case === 'error' ? operation.result.value.message : ''],
      ['begun', formatLocalTime(operation.metadata?.createTime)],
      ['ended', formatLocalTime(operation.metadata?.endTime)],
      ...(operation.metadata?.steps ?? []).map((step): [string, string] => [
        `step ${step.name}`,
        `${enumWord(StepStateSchema, step.state)} ${step.note}`.trim(),
      ]),
    ]),
};

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(OperationService, context.transport());
  return (await client.getOperation({ name }, callOptions(context))).operation;
});

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(OperationService, context.transport());
  const parent = partitionParent(context.settings);
  const answer = await client.listOperations({ parent, ...page }, callOptions(context));
  return { rows: answer.operations, nextPageToken: answer.nextPageToken };
});

const NAME = [{ name: 'name', help: 'name of the operation' }];

export const wait: Command = {
  summary: 'wait for the end of an operation; exits with 0 when it went well',
  positionals: NAME,
  options: { timeout: WAIT_OPTIONS.timeout ?? { type: 'string', help: '' } },
  run: async (context, args) => {
    const client = createClient(OperationService, context.transport());
    const name = noun.fullName(context, args.positional('name'));
    const found = (await client.getOperation({ name }, callOptions(context))).operation;
    if (!found) throw new Error('the answer holds no operation');
    const ended = await waitOperation(context, found, args);
    const people = () => `${lastSegment(name)} is ${outcome(ended)}`;
    await showOne(context.output, noun, { message: ended, people });
    return undefined;
  },
};

export const cancel: Command = {
  summary: 'ask an operation to end early',
  positionals: NAME,
  run: async (context, args) => {
    const client = createClient(OperationService, context.transport());
    const name = noun.fullName(context, args.positional('name'));
    const answer = await client.cancelOperation({ name }, callOptions(context));
    if (answer.operation) {
      const operation = answer.operation;
      const people = () => `${lastSegment(name)} is ${outcome(operation)}`;
      await showOne(context.output, noun, { message: operation, people });
    }
    return undefined;
  },
};
