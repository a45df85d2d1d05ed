/**
 * Messages as JSON and YAML. It loads much of the contract and a YAML writer, so what most calls
 * need (output.ts) loads it only when it is asked for: a call must stay quick.
 */
import { createRegistry, type DescMessage, type Message, toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { file_google_rpc_error_details } from '../../../gen/google/rpc/error_details_pb.ts';
import { file_runmachine_common_v1_error } from '../../../gen/runmachine/common/v1/error_pb.ts';
import { file_runmachine_machine_v1_image } from '../../../gen/runmachine/machine/v1/image_pb.ts';
import { file_runmachine_machine_v1_machine } from '../../../gen/runmachine/machine/v1/machine_pb.ts';

/** Messages that may stand inside an Any of an answer. */
export const anyRegistry = createRegistry(
  file_runmachine_machine_v1_machine,
  file_runmachine_machine_v1_image,
  file_runmachine_common_v1_error,
  file_google_rpc_error_details,
);

export const messageToJson = (schema: DescMessage, message: Message): unknown =>
  toJson(schema, message, { registry: anyRegistry });

export const yamlText = (value: unknown): string => stringify(value).trimEnd();
