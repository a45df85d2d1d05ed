import { Code } from '@connectrpc/connect';
import test from 'ava';
import { MachineState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { OperationService } from '../../../gen/runmachine/machine/v1/operation_service_pb.ts';
import { create } from '../../../services/cli/commands/machine/create.ts';
import { callCommand } from './call-command.ts';

const NAME = 'partitions/lab/projects/red/machines/web-1';
const OPERATION = 'partitions/lab/operations/op-1';

type Ending = { readonly error?: { readonly code: Code; readonly message: string } };

/** Creates and waits; the operation ends so, or not at all. */
const createAndWait = (ending: Ending | undefined, argv: readonly string[]) =>
  callCommand(create, ['web-1', '--boot-none', '--wait', ...argv], (router) => {
    const machine = { name: NAME, status: { state: MachineState.PREPARE_FAILED } };
    router.service(MachineService, {
      createMachine: () => ({ machine, operation: { name: OPERATION } }),
      getMachine: () => ({ machine }),
    });
    router.service(OperationService, {
      waitOperation: () => ({
        operation: {
          name: OPERATION,
          done: ending !== undefined,
          ...(ending?.error && { result: { case: 'error', value: ending.error } as const }),
        },
      }),
    });
  });

test('a wait that is over its time is no wrong usage, and says how to go on', async (t) => {
  const { code, stderr } = await createAndWait(undefined, ['--timeout', '0s']);
  t.is(code, 8);
  t.regex(stderr, /op-1 is not done after 0s\n +it goes on; wait again with `runm operation wait/);
  t.notRegex(stderr, /and stays/);
});

test('a machine that could not be made says that it stays until it is deleted', async (t) => {
  const error = { code: Code.ResourceExhausted, message: 'No provider has room' };
  const { code, stderr } = await createAndWait({ error }, []);
  t.is(code, 7);
  t.regex(stderr, /web-1 is prepare.failed and stays: .*runm machine delete web-1/);
  t.regex(stderr, /runm: No provider has room/);
  const { stderr: forPrograms } = await createAndWait({ error }, ['--json']);
  t.notRegex(forPrograms, /and stays/);
});
