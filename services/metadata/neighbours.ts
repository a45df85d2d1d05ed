/** What this service asks of the others, over their contracts. */
import { createClient } from '@connectrpc/connect';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { isDomainError } from '../runtime/errors.ts';
import { asDomain } from '../runtime/rpc/error-reading.ts';
import type { Connect } from '../runtime/service.ts';
import type { OwnerQuestions } from './ports.ts';

const CALL_MS = 5_000;
const PAGE = 1000;

export const ownerQuestions = ({ transportTo }: Connect): OwnerQuestions => {
  const partitions = createClient(PartitionService, transportTo('inventory'));
  const machines = createClient(MachineService, transportTo('machine'));
  const claims = createClient(ClaimService, transportTo('scheduler'));
  const hasMachines = async (parent: string, signal: AbortSignal): Promise<boolean> => {
    const call = { signal, timeoutMs: CALL_MS };
    const answer = await asDomain(machines.listMachines({ parent, pageSize: 1 }, call));
    return answer.machines.length > 0;
  };
  // Ended claims stay listed for a day; they hold nothing.
  const hasClaims = async (parent: string, signal: AbortSignal): Promise<boolean> => {
    for (let pageToken = ''; ; ) {
      const call = { signal, timeoutMs: CALL_MS };
      const page = await asDomain(claims.listClaims({ parent, pageSize: PAGE, pageToken }, call));
      if (page.claims.some(({ status }) => status?.state !== ClaimState.RELEASED)) return true;
      pageToken = page.nextPageToken;
      if (pageToken === '') return false;
    }
  };
  return {
    ownedBy: async (project, signal) => {
      const parent = `partitions/-/projects/${project}`;
      const [machine, claim] = await Promise.all([
        hasMachines(parent, signal),
        hasClaims(parent, signal),
      ]);
      return [...(machine ? ['machines'] : []), ...(claim ? ['claims'] : [])];
    },
    hasPartition: async (partition, signal) => {
      try {
        const name = `partitions/${partition}`;
        await asDomain(partitions.getPartition({ name }, { signal, timeoutMs: CALL_MS }));
        return true;
      } catch (error) {
        if (isDomainError(error, 'not_found')) return false;
        throw error;
      }
    },
  };
};
