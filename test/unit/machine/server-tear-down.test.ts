/** The deletion of a machine on a server, whose cleaning does not need the agent's word. */
import test from 'ava';
import { nextStep } from '../../../services/machine/domain/advance.ts';
import { begin, finishStep } from '../../../services/machine/domain/operation.ts';
import { holding, machine, operation, view } from './fixtures.ts';

const BEGAN_MS = 1_000;
const LIMIT_MS = BEGAN_MS + 2 * 60_000;

const lettingGo = () => {
  let deletion = operation('delete');
  for (const { name } of deletion.steps) {
    if (name === 'destroy') break;
    deletion = finishStep(deletion, name, { nowMs: BEGAN_MS, note: '' });
  }
  const spec = { ...machine().spec, type: 'bare_metal' as const };
  const agent = { name: 'partitions/lab/agents/a1', sinceMs: 500, emulated: false };
  return view({
    operation: begin(deletion, 'destroy', BEGAN_MS),
    machine: machine({ state: 'releasing', holding, spec }),
    assignment: { absent: true },
    agent: { ...agent, state: 'up' },
  });
};

test('a server is waited for to be let go, but not for long', (t) => {
  const decided = nextStep(lettingGo(), 2_000);
  t.is(decided.kind, 'wait');
  if (decided.kind === 'wait') t.is(decided.wakeMs, LIMIT_MS);
});

test('a server whose controller is away goes on to its cleaning', (t) => {
  const seen = lettingGo();
  const decided = nextStep(seen, LIMIT_MS);
  t.is(decided.kind, 'record');
  if (decided.kind !== 'record') return;
  // An agent takes only what is newer than what it holds.
  t.is(decided.assignment, 'let-go');
  t.true(decided.machine.generation > seen.machine.generation);
  t.is(decided.machine.state, 'releasing');
  t.is(decided.operation.endMs, null);
});
