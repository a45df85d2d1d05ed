/** Servers whose controller is reached in another way now: their agents are told anew. */
import { isDeepStrictEqual } from 'node:util';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { want } from '../domain/machine.ts';
import { controllerIn } from '../order-port.ts';
import type { MachineWriter, Records } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'assignments' | 'machines'>;
  readonly writer: MachineWriter;
};

const ACTOR = { principal: 'services/machine', requestId: 'server refresh' };

export const refreshServers = async (
  { store, records, writer }: Deps,
  { uid, isMetal, controller }: ProviderView,
): Promise<void> => {
  if (!isMetal || controller === null) return;
  const rows = await store.read((reader) => records.assignments.ofProvider(reader, uid));
  const stale = rows.filter(
    (row) => row.isServer && !isDeepStrictEqual(controllerIn(row), controller),
  );
  if (stale.length === 0) return;
  await store.transaction(undefined, ACTOR, async (tx) => {
    for (const { uid: machineUid, absent } of stale.toSorted((a, b) => (a.uid < b.uid ? -1 : 1))) {
      const machine = await records.machines.lock(tx, machineUid);
      if (machine === undefined || machine.state === 'gone') continue;
      await writer.write(tx, {
        machine: want(machine, {}),
        events: [],
        assignment: absent ? 'absent' : 'put',
        principal: '',
        operation: '',
      });
    }
  });
};
