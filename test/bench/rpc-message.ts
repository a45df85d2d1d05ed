import { create } from '@bufbuild/protobuf';
import {
  type UpdateMachineRequest,
  UpdateMachineRequestSchema,
} from '../../gen/runmachine/machine/v1/machine_service_pb.ts';

/** Trust domain of a bench's certificates; the same as in test/support/certificates.ts. */
export const SERVER = 'machine';
export const CALLER = 'scheduler';

/**
 * What both servers echo: about 250 bytes with names, a mask, numbers and a map, as most mutations
 * have.
 */
export const exampleRequest = (requestId: string): UpdateMachineRequest =>
  create(UpdateMachineRequestSchema, {
    machine: {
      name: 'partitions/lab/projects/default/machines/web-1',
      etag: '42',
      tags: ['front', 'blue'],
      properties: { rack: { kind: { case: 'stringValue', value: 'r12' } } },
      spec: { cpus: 4, memoryBytes: 8_589_934_592n, claim: 'c-0193b5a0' },
    },
    updateMask: { paths: ['tags', 'properties', 'spec.cpus'] },
    requestId,
  });
