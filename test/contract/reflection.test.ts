/** Whoever asks any process learns the whole contract, whatever runs there. */
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionV1Alpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { MachineService } from '../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { createAssembly } from '../../services/assemble.ts';
import { createInventoryService } from '../../services/inventory/main.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { startComponents } from '../../services/runtime/process.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { tlsMaterial } from '../../services/runtime/tls.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { CLUSTER, createAuthority } from '../support/certificates.ts';
import { builtContract, methodNames, releasedContract } from '../support/contract-image.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { silentLog as log } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const contract = methodNames(builtContract());
const REFLECTION = [
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

type Question =
  | { readonly case: 'listServices'; readonly value: '' }
  | { readonly case: 'fileContainingSymbol'; readonly value: string };

/** The two versions of the protocol, which differ in their names only. */
const VERSIONS = [
  (transport: Transport, messageRequest: Question) =>
    createClient(ServerReflection, transport).serverReflectionInfo(one({ messageRequest }), CALL),
  (transport: Transport, messageRequest: Question) =>
    createClient(ServerReflectionV1Alpha, transport).serverReflectionInfo(
      one({ messageRequest }),
      CALL,
    ),
];
const CALL = { timeoutMs: 60_000 };

type Version = (typeof VERSIONS)[number];

/** "package.Service/Method" of all that reflection lists and describes. */
const reflected = async (transport: Transport, version: Version): Promise<readonly string[]> => {
  const ask = async (question: Question) => {
    const answers = [];
    // To its end: a stream that is left early lives until its deadline.
    for await (const answer of version(transport, question)) answers.push(answer);
    const [answer] = answers;
    if (answer === undefined) throw new Error('reflection answers nothing');
    return answer.messageResponse;
  };
  const listed = await ask({ case: 'listServices', value: '' });
  if (listed.case !== 'listServicesResponse') throw new Error(`reflection says ${listed.case}`);
  const names = listed.value.service.map(({ name }) => name);
  const methods: string[] = [];
  for (const service of names.filter((name) => !REFLECTION.includes(name))) {
    const described = await ask({ case: 'fileContainingSymbol', value: service });
    if (described.case !== 'fileDescriptorResponse') throw new Error(`nothing about ${service}`);
    const files = described.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    for (const file of files) {
      const found = file.service.find(({ name }) => `${file.package}.${name}` === service);
      methods.push(...(found?.method ?? []).map(({ name }) => `${service}/${name}`));
    }
  }
  return methods.toSorted();
};

async function* one<T>(value: T): AsyncGenerator<T> {
  yield value;
}

const expectContract = async (t: ExecutionContext, transport: Transport): Promise<void> => {
  for (const version of VERSIONS) t.deepEqual(await reflected(transport, version), contract);
};

test('nothing of the last release is gone from the contract', (t) => {
  const missing = methodNames(releasedContract() ?? []).filter((name) => !contract.includes(name));
  t.deepEqual(missing, []);
  t.true(contract.length > 50);
});

test('all services in one process list the contract, on both listeners', async (t) => {
  await using plane = await startControlPlane();
  await expectContract(t, plane.transport(plane.token));
  const inner = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${plane.mtlsPort}`],
    tls: tlsMaterial(await plane.certificate('reflection')),
  });
  t.teardown(inner.close);
  await expectContract(t, inner);
});

test('a process with one service lists the contract, and names what does not run there', async (t) => {
  await using parts = new AsyncDisposableStack();
  const dir = parts.use(temporaryDir({ inMemory: true }));
  const authority = await createAuthority();
  const coordination = openEmbeddedCoordination({
    ...{ clock, random, log },
    file: join(dir.path, 'coordination.sqlite'),
  });
  parts.defer(() => coordination.close());
  const listen = { host: '127.0.0.1', port: 0 };
  const assembly = createAssembly({
    ...{ clock, random, log, coordination },
    cluster: CLUSTER,
    services: ['inventory'],
    replica: { id: random.uid(), address: '127.0.0.1:1' },
    sqlUrl: (service) => `sqlite:${join(dir.path, `${service}.sqlite`)}`,
    people: undefined,
    mtls: { listen, tls: await authority.service('inventory') },
    origins: [],
    noticeMs: 0,
    version: '0.0.0',
  });
  assembly.add('inventory', await createInventoryService(assembly.depsOf('inventory', {})));
  const running = await startComponents({ log, clock }, assembly.components());
  parts.defer(() => running.stop());
  const transport = createGrpcJsTransport({
    addresses: () => assembly.mounts().map(({ port }) => `127.0.0.1:${port}`),
    tls: await authority.service('machine'),
  });
  parts.defer(transport.close);
  await expectContract(t, transport);
  const machines = createClient(MachineService, transport);
  const refused = await t.throwsAsync(
    machines.listMachines({ parent: 'partitions/-/projects/-' }),
    { instanceOf: ConnectError },
  );
  t.is(refused?.code, Code.Unavailable);
  t.regex(refused?.message ?? '', /machine/);
});
