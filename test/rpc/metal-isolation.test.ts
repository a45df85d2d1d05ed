/**
 * Every read of the contract, asked for everything there is by two tenants and by an operator: what
 * is a tenant's alone and what is the operators' alone is told to nobody else. A read that is added
 * and that the operator is not answered here fails until it is asked properly.
 */
import {
  createRegistry,
  type DescMethod,
  fromJson,
  type JsonObject,
  type Message,
  toJsonString,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import test from 'ava';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { PUBLIC_SERVICES } from '../../services/contract.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import {
  type MetalPlane,
  PARTITION,
  SECRETIVE,
  startMetalPlane,
  type Tenant,
} from './metal-site.ts';

const READS = PUBLIC_SERVICES.flatMap(({ methods }) => methods).filter(
  ({ idempotency }) => idempotency === Level.NO_SIDE_EFFECTS,
);
const UNARY_MS = 60_000;
/** Watches never end by themselves; what they tell of changes is asked below. */
const STREAM_MS = 100;

/** Reads that are no person's, and whose. */
const OF_NO_PERSON: ReadonlySet<string> = new Set([
  // Of whoever has a token of that console; what it opens is asked in machine-console-token.
  'ConsoleService.WatchConsoleByToken',
  // Of agents, each for what is assigned to it.
  'AgentService.GetArtifact',
  'AgentService.GetSecret',
  // Of services, which hold the digest of a credential.
  'TrustService.Introspect',
]);

let site: MetalPlane;
test.before(async () => {
  site = await startMetalPlane();
});
test.after.always(() => site?.[Symbol.asyncDispose]());

const shortName = ({ parent, name }: DescMethod): string =>
  `${parent.typeName.split('.').at(-1)}.${name}`;

/** Every request that may find something: every name where one is asked for, every parent. */
const requestsOf = ({ input }: DescMethod): readonly JsonObject[] => {
  const has = (field: string) => input.fields.some(({ name }) => name === field);
  const resources = [{ resourceType: 'runm.machine.whole', amount: '1' }];
  const more: JsonObject = {
    ...(has('spec') && { spec: { groups: [{ resources }] } }),
    ...(has('duration') && { duration: '3600s' }),
    ...(has('tail_bytes') && { tailBytes: 65_536 }),
    ...(has('keys') && { from: '2020-01-01T00:00:00Z' }),
  };
  if (has('open')) return site.names.map((name) => ({ open: { name, replayBytes: 65_536 } }));
  if (has('name')) return site.names.map((name) => ({ name, ...more }));
  if (!has('parent')) return [more];
  const projects = ['-', 'of-owner', 'of-stranger'];
  return [
    ...[PARTITION, 'partitions/-', 'partitions/-/projects/-', 'projects/-', 'projects/infra'],
    ...projects.map((id) => `${PARTITION}/projects/${id}`),
    ...projects.map((id) => `projects/${id}`),
  ].map((parent) => ({ parent, ...more }));
};

/** What a caller was told, and how it ended. */
type Told = { readonly code: string; readonly text: string; readonly refusal: string };

const registry = createRegistry(...PUBLIC_SERVICES.map(({ file }) => file));

const ask = async (transport: Transport, method: DescMethod, asked: JsonObject): Promise<Told> => {
  const message = fromJson(method.input, asked);
  const limit = AbortSignal.timeout(method.methodKind === 'unary' ? UNARY_MS : STREAM_MS);
  let text = '';
  try {
    for await (const answer of answers(transport, method, { message, signal: limit })) {
      text += toJsonString(method.output, answer, { registry });
    }
    return { code: 'Ok', text, refusal: '' };
  } catch (error) {
    if (limit.aborted) {
      return { code: method.methodKind === 'unary' ? 'Late' : 'Ok', text, refusal: '' };
    }
    const { code, message: said, details } = ConnectError.from(error);
    const inside = details.map((one) => ('type' in one ? Buffer.from(one.value).toString() : ''));
    return { code: Code[code], text, refusal: [said, ...inside].join(' ') };
  }
};

type Sent = { readonly message: Message; readonly signal: AbortSignal };

async function* answers(
  transport: Transport,
  method: DescMethod,
  { message, signal }: Sent,
): AsyncGenerator<Message> {
  const { input, output } = method;
  if (method.methodKind === 'unary') {
    const unary = { ...method, methodKind: method.methodKind, input, output };
    yield (await transport.unary(unary, signal, undefined, undefined, message)).message;
    return;
  }
  const stream = { ...method, methodKind: method.methodKind, input, output };
  const one = async function* () {
    yield message;
  };
  yield* (await transport.stream(stream, signal, undefined, undefined, one())).message;
}

/** Names of what is a tenant's alone, whole and by their last segments. */
const privateOf = ({ own, project }: Tenant): readonly string[] => [
  project,
  ...own.map((name) => name.split('/').at(-1) ?? name),
];

const judged = async (
  transport: Transport,
  method: DescMethod,
  hidden: readonly string[],
): Promise<readonly string[]> => {
  const wrong: string[] = [];
  for (const asked of requestsOf(method)) {
    const { code, text, refusal } = await ask(transport, method, asked);
    const request = JSON.stringify(asked);
    if (code === 'Late') wrong.push(`${request}: no answer in time`);
    for (const word of hidden) {
      if (text.includes(word)) wrong.push(`${request} tells ${word}: ${text}`);
      // A refusal may say again what it was asked for.
      if (refusal.includes(word) && !request.includes(word)) {
        wrong.push(`${request} tells ${word}: ${refusal}`);
      }
    }
  }
  return wrong;
};

/** Codes of a call that found nothing, or was not let in or wrongly asked. */
const IN_VAIN = new Set(['InvalidArgument', 'NotFound', 'PermissionDenied', 'Unimplemented']);

for (const method of READS) {
  const name = shortName(method);

  test(`${name}: a stranger is told nothing of others and nothing of controllers`, async (t) => {
    const hidden = [...SECRETIVE, ...privateOf(site.owner)];
    t.deepEqual(await judged(site.stranger.transport, method, hidden), []);
  });

  test(`${name}: who owns a machine on a server is told nothing of its controller`, async (t) => {
    const hidden = [...SECRETIVE, ...privateOf(site.stranger)];
    t.deepEqual(await judged(site.owner.transport, method, hidden), []);
  });

  if (OF_NO_PERSON.has(name)) continue;
  test(`${name}: an operator who asks the same is answered`, async (t) => {
    const codes: string[] = [];
    for (const asked of requestsOf(method)) {
      codes.push((await ask(site.admin, method, asked)).code);
    }
    t.true(
      codes.some((code) => !IN_VAIN.has(code)),
      codes.join(' '),
    );
  });
}

test('what is looked for is there: an operator is told all of it', async (t) => {
  let text = '';
  for (const method of READS) {
    for (const asked of requestsOf(method)) text += (await ask(site.admin, method, asked)).text;
  }
  // Values of secrets are told to no person at all.
  const values = new Set(['user-of-bmc', 'password-of-bmc']);
  const shown = SECRETIVE.filter((word) => !values.has(word));
  const missing = [...shown, ...privateOf(site.owner), ...privateOf(site.stranger)];
  t.deepEqual(
    missing.filter((word) => !text.includes(word)),
    [],
  );
  t.deepEqual(
    [...values].filter((word) => text.includes(word)),
    [],
  );
});

const OF_TENANTS = READS.filter(
  ({ methodKind, input }) =>
    methodKind === 'server_streaming' && input.fields.some(({ name }) => name === 'resume_token'),
);

// First and alone: it holds as many streams as a connection may.
test.serial(
  'a stranger who watches hears of his own changes and of none that came before',
  async (t) => {
    const over = new AbortController();
    const heard = new Map<string, string>();
    const watch = async (method: DescMethod, parent: string): Promise<void> => {
      const message = fromJson(method.input, { parent });
      const name = `${shortName(method)} ${parent}`;
      const { transport } = site.stranger;
      try {
        for await (const one of answers(transport, method, { message, signal: over.signal })) {
          heard.set(name, (heard.get(name) ?? '') + toJsonString(method.output, one, { registry }));
        }
      } catch {
        // Not let in, or left at the end.
      }
    };
    const parents = [
      PARTITION,
      'partitions/-',
      `${PARTITION}/projects/-`,
      'partitions/-/projects/-',
    ];
    const open = OF_TENANTS.flatMap((method) => parents.map((parent) => watch(method, parent)));
    const own = 'EventService.WatchEvents partitions/-/projects/-';
    await eventually(() => heard.has(own), { message: 'the watch of events is open' });
    const stop = (machine: string) =>
      createClient(MachineService, site.admin).stopMachine({
        name: machine,
        requestId: systemRandom.requestId(),
      });
    await stop(site.owner.machine);
    await stop(site.stranger.machine);
    await eventually(() => heard.get(own)?.includes(site.stranger.project), {
      message: 'the stranger hears of his own machine',
    });
    const text = [...heard.values()].join(' ');
    const hidden = [...SECRETIVE, ...privateOf(site.owner)];
    t.deepEqual(
      hidden.filter((word) => text.includes(word)),
      [],
    );
    over.abort();
    await Promise.all(open);
  },
);
