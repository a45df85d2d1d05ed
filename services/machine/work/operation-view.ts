/** What a decision about an operation sees, put together from the rows. */
import type { SqlStore } from '../../store/sql/open.ts';
import type { AgentView, OperationLimits, View } from '../domain/view.ts';
import type { SeenAgent, SeenOperation } from '../operation-ports.ts';
import type { Records } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'operations'>;
  readonly limits: OperationLimits;
};

export const viewOf = async (deps: Deps, seen: SeenOperation): Promise<View> => {
  const { operation, machine, assignment, agent } = seen;
  const isThere = assignment !== undefined && !assignment.gone;
  const claimMayExist =
    operation.verb === 'delete' &&
    machine.holding === null &&
    (await deps.store.read((reader) => deps.records.operations.claimBegun(reader, machine.uid)));
  return {
    operation,
    machine,
    assignment: isThere ? { absent: assignment.absent } : null,
    agent: isThere ? agentView(assignment.agentKey, agent) : null,
    claimMayExist,
    limits: deps.limits,
  };
};

export const agentView = (agentKey: string, agent: SeenAgent | undefined): AgentView => ({
  name: agentKey === '' ? 'of its provider' : agentKey,
  state: agent?.state ?? 'unknown',
  sinceMs: agent?.sinceMs ?? 0,
  emulated: agent?.host?.accelerator === 'tcg',
});
