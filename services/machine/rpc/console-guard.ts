/** While somebody has the console of a server open it is not deleted under him. */
import { failedPrecondition } from '../../runtime/errors.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { isMetal, type Machine, machineName } from '../domain/machine.ts';
import type { Records } from '../ports.ts';

/** Errors: failed_precondition CONSOLE_OPEN. */
export const demandNoConsole = async (
  { records }: { readonly records: Pick<Records, 'consoles'> },
  reader: Reader,
  machine: Machine,
): Promise<void> => {
  if (!isMetal(machine)) return;
  const open = await records.consoles.ofTarget(reader, machine.uid);
  if (open.length === 0) return;
  const by = [...new Set(open.map(({ principal }) => principal))].join(', ');
  throw failedPrecondition(
    'CONSOLE_OPEN',
    `The console of "${machineName(machine)}" is open (${by}); have it closed, or force it`,
    { metadata: { name: machineName(machine), principals: by } },
  );
};
