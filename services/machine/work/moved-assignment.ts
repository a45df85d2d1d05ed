import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AssignmentSchema, MovedSchema } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { AssignmentRow } from '../ports.ts';

/** What its agent was told to let go, as its deletion did not wait for it any longer. */
export const isLetGo = ({ gone, isServer, bytes }: AssignmentRow): boolean =>
  gone && isServer && fromBinary(AssignmentSchema, bytes).content.case === 'moved';

/** Tells an agent that another one of the pool has the server now. */
export const movedBytes = (row: AssignmentRow): Uint8Array =>
  toBinary(
    AssignmentSchema,
    create(AssignmentSchema, {
      ...fromBinary(AssignmentSchema, row.bytes),
      digest: new Uint8Array(),
      content: { case: 'moved', value: create(MovedSchema) },
    }),
  );
