/** Writes what changes together: the machine, what its agent is told, and what happened. */
import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ControllerView } from '../domain/capacity.ts';
import { aboutMachine, type EventRecord } from '../domain/event.ts';
import { isMetal, type Machine } from '../domain/machine.ts';
import { controllerIn } from '../order-port.ts';
import type { AssignmentRow, MachineChange, MachineWriter, Records } from '../ports.ts';
import { assignmentOf } from './assignment-encoding.ts';

type Deps = {
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly incarnation: () => number;
  /** How the controller of a provider is reached; undefined = it has none, or nobody knows yet. */
  readonly controllerOf?: (providerUid: string) => ControllerView | undefined;
};

export const createMachineWriter = ({
  records,
  clock,
  random,
  incarnation,
  controllerOf,
}: Deps): MachineWriter => {
  /** Where this replica has not seen the provider yet, what was told before stands. */
  const siteOf = (machine: Machine, known: AssignmentRow | undefined) => {
    if (!isMetal(machine)) return {};
    const uid = machine.holding?.providerUid ?? '';
    return { controller: controllerOf?.(uid) ?? (known && controllerIn(known)) };
  };
  const tell: MachineWriter['tell'] = async (tx, ...changes) => {
    const recordMs = clock.now().getTime();
    const rows = changes.flatMap(({ machine, events, principal, operation }): EventRecord[] =>
      events.map((draft) => ({
        ...draft,
        ...aboutMachine(machine),
        uid: random.uid(),
        recordMs,
        principal,
        operation,
      })),
    );
    await records.events.insert(tx, rows);
  };
  const address = async (tx: Tx, changes: readonly MachineChange[]) => {
    const told = changes.filter(({ assignment }) => assignment !== null);
    const rows = await records.assignments.findMany(
      tx,
      told.map(({ machine }) => machine.uid),
    );
    const known = new Map(rows.map((row) => [row.uid, row]));
    const put = told.flatMap(({ machine, assignment, agentKey: to }) => {
      const row = known.get(machine.uid);
      if (assignment !== 'put' && row === undefined) return [];
      const agentKey = row?.agentKey ?? to ?? '';
      const change = assignment ?? 'put';
      const site = siteOf(machine, row);
      return [assignmentOf(machine, { incarnation: incarnation(), agentKey, change, ...site })];
    });
    await records.assignments.put(tx, ...put);
  };
  return {
    tell,
    write: async (tx, change) => {
      const updateMs = clock.now().getTime();
      await records.machines.save(tx, { ...change.machine, updateMs });
      await address(tx, [change]);
      await tell(tx, change);
    },
    writeNext: async (tx, changes, between) => {
      const updateMs = clock.now().getTime();
      const machines = changes.map(({ machine }) => ({ ...machine, updateMs }));
      const saved = await records.machines.saveNext(tx, machines);
      const written = changes.filter(({ machine }) => saved.has(machine.uid));
      await between(written);
      await address(tx, written);
      await tell(tx, ...written);
    },
    renewAssignment: async (tx, machine) => {
      const known = await records.assignments.find(tx, machine.uid);
      if (known === undefined || known.absent) return;
      await records.assignments.put(
        tx,
        assignmentOf(machine, {
          incarnation: incarnation(),
          agentKey: known.agentKey,
          change: 'put',
          ...siteOf(machine, known),
        }),
      );
    },
  };
};
