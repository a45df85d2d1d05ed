/**
 * Every RPC of the contract with random messages from every kind of caller, over both listeners.
 * Whatever is sent, the answer is one that the contract names, comes in time and tells nothing of
 * the inside. RUNM_FUZZ_SEED repeats a run, RUNM_FUZZ_RUNS multiplies it.
 */
import { type DescMethod, type Message, toBinary, toJsonString } from '@bufbuild/protobuf';
import test from 'ava';
import fc from 'fast-check';
import { PUBLIC_SERVICES } from '../../services/contract.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { callAndJudge } from './fuzz-call.ts';
import { type Caller, type Callers, furnish } from './fuzz-callers.ts';
import { randomMessage } from './random-message.ts';

const SEED = Number(process.env.RUNM_FUZZ_SEED ?? Math.trunc(systemRandom.fraction() * 2 ** 31));
const RUNS = Number(process.env.RUNM_FUZZ_RUNS ?? 1);
const HEAP_MB = 256;
const RESIDENT_BYTES_MAX = 600 * 1024 ** 2;
const ERROR_LEVEL = 50;
const SHOWN_CHARS = 600;
const AT_THE_DOOR = new Set(['InvalidArgument', 'PermissionDenied', 'Unauthenticated']);

let plane: ControlPlane;
let callers: Callers;
test.before(async (t) => {
  t.log(`RUNM_FUZZ_SEED=${SEED}`);
  // A heap that grows beyond this ends the process, and the tests with it.
  plane = await startControlPlane({ heapMb: HEAP_MB });
  callers = await furnish(plane);
});
test.after.always(
  'the process is whole and in bounds, and found no mistake of its own',
  async (t) => {
    callers?.close();
    await using parts = new AsyncDisposableStack();
    parts.use(plane);
    t.is(plane.end(), undefined);
    t.deepEqual(plane.logged(ERROR_LEVEL), []);
    t.true((await plane.residentBytes()) < RESIDENT_BYTES_MAX);
    const served = [...codes.values()].filter((seen) => seen.has('Ok') || seen.has('left'));
    const refused = [...codes].filter(([, seen]) =>
      [...seen].every((code) => AT_THE_DOOR.has(code)),
    );
    t.log(`${served.length} of ${codes.size} RPCs were served, ${refused.length} never got in`);
    // What works at hardware cannot be served here: there is none.
    t.true(served.length * 5 > codes.size * 2, 'many RPCs were served');
    t.true(refused.length * 4 < codes.size, 'most RPCs were reached');
  },
);

for (const [index, service] of PUBLIC_SERVICES.entries()) {
  test(`${service.typeName} has an answer to any message`, async (t) => {
    for (const [at, method] of service.methods.entries()) {
      for (const [who, caller] of callers.all.entries()) {
        const wrong = await hammer(caller, method, SEED + index * 10_000 + at * 100 + who);
        t.deepEqual([...wrong.values()], []);
      }
    }
    t.is(plane.end(), undefined, 'the process lives');
  });
}

const STREAMED = 3;

/** How calls of each method ended. */
const codes = new Map<string, Set<string>>();

const note = ({ parent, name }: DescMethod, code: string): void => {
  const method = `${parent.typeName}/${name}`;
  const seen = codes.get(method);
  if (seen === undefined) codes.set(method, new Set([code]));
  else seen.add(code);
};

const hammer = async (
  caller: Caller,
  method: DescMethod,
  seed: number,
): Promise<ReadonlyMap<string, string>> => {
  const isStream =
    method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming';
  const one = randomMessage(method.input, callers.pool);
  const size = { minLength: isStream ? 0 : 1, maxLength: isStream ? STREAMED : 1 };
  // One example per fault.
  const wrong = new Map<string, string>();
  for (const messages of fc.sample(fc.array(one, size), { seed, numRuns: RUNS * caller.share })) {
    // Beyond this the transport says no before anything of ours reads it.
    if (messages.some((message) => sizeOf(method, message) > BYTES_MAX)) continue;
    const { code, fault } = await callAndJudge(caller.transport, method, messages);
    note(method, code);
    if (fault === undefined) continue;
    const sent = messages.map((message) => shown(method, message)).join(' ');
    wrong.set(fault, `${fault}\n  of ${method.name} from ${caller.name}: ${sent}`);
  }
  return wrong;
};

const BYTES_MAX = 1_000_000;

const sizeOf = (method: DescMethod, message: Message): number => {
  try {
    return toBinary(method.input, message).length;
  } catch {
    // What has no binary form is refused by the client.
    return 0;
  }
};

const shown = (method: DescMethod, message: Parameters<typeof toJsonString>[1]): string => {
  try {
    return toJsonString(method.input, message).slice(0, SHOWN_CHARS);
  } catch {
    return '(no JSON form)';
  }
};
