import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AssignmentSchema, MovedSchema } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { AssignmentRow } from '../ports.ts';

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
