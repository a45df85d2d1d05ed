/** Writes what changes together: the machine, what its agent is told, and what happened. */
import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { aboutMachine, type EventRecord } from '../domain/event.ts';
import type { MachineChange, MachineWriter, Records } from '../ports.ts';
import { assignmentOf } from './assignment-encoding.ts';

type Deps = {
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly incarnation: () => number;
};

export const createMachineWriter = ({
  records,
  clock,
  random,
  incarnation,
}: Deps): MachineWriter => {
  const tell: MachineWriter['tell'] = async (tx, { machine, events, principal, operation }) => {
    const recordMs = clock.now().getTime();
    const rows: EventRecord[] = events.map((draft) => ({
      ...draft,
      ...aboutMachine(machine),
      uid: random.uid(),
      recordMs,
      principal,
      operation,
    }));
    await records.events.insert(tx, rows);
  };
  const address = async (tx: Tx, { machine, assignment, agentKey }: MachineChange) => {
    const absent = assignment === 'absent';
    const known = await records.assignments.find(tx, machine.uid);
    if (absent && known === undefined) return;
    const key = known?.agentKey ?? agentKey ?? '';
    await records.assignments.put(
      tx,
      assignmentOf(machine, { incarnation: incarnation(), agentKey: key, absent }),
    );
  };
  return {
    tell,
    write: async (tx, change) => {
      const updateMs = clock.now().getTime();
      await records.machines.save(tx, { ...change.machine, updateMs });
      if (change.assignment !== null) await address(tx, change);
      await tell(tx, change);
    },
    renewAssignment: async (tx, machine) => {
      const known = await records.assignments.find(tx, machine.uid);
      if (known === undefined || known.absent) return;
      await records.assignments.put(
        tx,
        assignmentOf(machine, {
          incarnation: incarnation(),
          agentKey: known.agentKey,
          absent: false,
        }),
      );
    },
  };
};
