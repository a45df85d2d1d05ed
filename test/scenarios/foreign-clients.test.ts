/** Clients that share no code with us reach the public contract, on both listeners. */
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { PUBLIC_SERVICES } from '../../services/contract.ts';
import { needs, slot } from '../needs.ts';
import { createInstallation, type Installation } from '../support/installation.ts';
import { generatePythonStubs } from '../support/python-stubs.ts';
import { type Ended, run } from '../support/run.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const need = needs('python3-grpcio', 'qemu', 'qemu-img', 'busybox', 'kernel');
const { test } = need;

const ROOT = join(import.meta.dirname, '../..');
const PYTHON_CLIENT = join(import.meta.dirname, 'python-client/claim.py');
const PROJECT = 'partitions/lab/projects/default';
const WHO_AM_I = 'runmachine.identity.v1.IdentityService/WhoAmI';
const MEMORY_BYTES = 64 * 1024 ** 2;

const parts = new AsyncDisposableStack();
let here: Installation;
let dir: string;

test.before(async () => {
  parts.use(await slot('guest'));
  dir = parts.use(temporaryDir()).path;
  here = parts.use(await createInstallation());
  await here.start('--no-demo', '--no-lab');
  writeFileSync(join(dir, 'ca.pem'), here.caPem());
  writeFileSync(join(dir, 'headers'), `authorization: Bearer ${here.token()}\n`, { mode: 0o600 });
  const made = await here.runm('cert', 'create', 'automation', '--out', join(dir, 'automation'));
  if (made.code !== 0) throw new Error(made.stderr);
});
test.after.always(() => parts.disposeAsync());

test('a generated Python client makes a claim with a token and gives it back', async (t) => {
  const python = need.program('python3-grpcio');
  const { env } = await generatePythonStubs(python, dir);
  const asked = {
    target: new URL(here.endpoint).host,
    ca: here.caPem(),
    token: here.token(),
    parent: PROJECT,
    claim: 'from-python',
  };
  const ended = await run(python.path, {
    args: [PYTHON_CLIENT],
    env,
    stdin: JSON.stringify(asked),
  });
  t.is(ended.code, 0, ended.stderr);
  const told = JSON.parse(ended.stdout);
  t.like(told, {
    name: `${PROJECT}/claims/from-python`,
    state: ClaimState.ACTIVE,
    repeatable: true,
    error: { code: 'NOT_FOUND', reason: 'NOT_FOUND', domain: 'runmachine' },
  });
  t.deepEqual(told.allocations.toSorted(), [
    ['runm.cpu.shared', 1],
    ['runm.memory', MEMORY_BYTES],
  ]);
  t.true([ClaimState.RELEASING, ClaimState.RELEASED].includes(told.released));
});

test('a plain grpc-js client makes a claim with a certificate of runm and gives it back', async (t) => {
  const keyFile = join(dir, 'automation.key');
  t.is(statSync(keyFile).mode & 0o777, 0o600);
  const client = new grpc.Client(
    // Node refuses an address as the name in a TLS handshake, and grpc-js always sends one.
    `localhost:${here.mtlsPort}`,
    grpc.credentials.createSsl(
      Buffer.from(here.caPem()),
      readFileSync(keyFile),
      readFileSync(join(dir, 'automation.crt')),
    ),
    { 'grpc.enable_http_proxy': 0 },
  );
  t.teardown(() => client.close());
  const { createClaim, getClaim, beginRelease } = ClaimService.method;
  const created = await callPlain(client, createClaim, {
    parent: PROJECT,
    claimId: 'from-grpc-js',
    claim: {
      spec: {
        groups: [
          {
            resources: [
              { resourceType: 'runm.cpu.shared', amount: 1n },
              { resourceType: 'runm.memory', amount: BigInt(MEMORY_BYTES) },
            ],
          },
        ],
      },
    },
    requestId: randomUUID(),
  });
  const name = `${PROJECT}/claims/from-grpc-js`;
  t.is(created.claim?.name, name);
  const { claim } = await callPlain(client, getClaim, { name });
  t.is(claim?.status?.state, ClaimState.ACTIVE);
  t.is(claim?.uid, created.claim?.uid);
  const released = await callPlain(client, beginRelease, { name, requestId: randomUUID() });
  t.truthy(released.claim?.status?.releaseBeginTime);
  const nothing = { name: `${PROJECT}/claims/nothing` };
  const refused: unknown = await t.throwsAsync(callPlain(client, getClaim, nothing));
  t.like(refused, { code: grpc.status.NOT_FOUND });
});

/** One unary call as any user of grpc-js would write it. */
const callPlain = <I extends DescMessage, O extends DescMessage>(
  client: grpc.Client,
  method: DescMethod & { readonly input: I; readonly output: O },
  message: MessageInitShape<I>,
): Promise<MessageShape<O>> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (value: MessageShape<I>) => Buffer.from(toBinary(method.input, value)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, message),
      { deadline: performance.timeOrigin + performance.now() + 20_000 },
      (error, answer) => {
        if (error !== null) reject(error);
        else if (answer === undefined) reject(new Error('neither answer nor error'));
        else resolve(answer);
      },
    );
  });

/** `buf curl` knows nothing but the address: it asks reflection for the contract, like grpcurl. */
const curl = (access: keyof typeof ACCESS, url: string, ...args: string[]): Promise<Ended> =>
  run(join(ROOT, 'node_modules/.bin/buf'), {
    args: ['curl', '--cacert', 'ca.pem', '--protocol', 'grpc', ...ACCESS[access], ...args, url],
    cwd: dir,
    env: { HOME: dir },
  });

const ACCESS = {
  'a token': ['--header', '@headers', '--reflect-header', '*'],
  'a certificate': ['--cert', 'automation.crt', '--key', 'automation.key'],
  nothing: [],
};

for (const access of ['a token', 'a certificate'] as const) {
  const address = () =>
    access === 'a token' ? here.endpoint : `https://127.0.0.1:${here.mtlsPort}`;

  test(`buf curl with ${access} lists services and methods and calls by reflection`, async (t) => {
    const services = await curl(access, address(), '--list-services');
    t.is(services.code, 0, services.stderr);
    const listed = services.stdout.trim().split('\n');
    for (const { typeName } of PUBLIC_SERVICES) t.true(listed.includes(typeName), typeName);
    const methods = await curl(access, address(), '--list-methods');
    t.is(methods.code, 0, methods.stderr);
    t.true(methods.stdout.includes('runmachine.scheduler.v1.ClaimService/BeginRelease'));
    const who = await curl(access, `${address()}/${WHO_AM_I}`, '--data', '{}');
    t.is(who.code, 0, who.stderr);
    const principal = access === 'a token' ? /^users\/admin$/ : /^apps\/[0-9a-f-]{36}$/;
    t.regex(JSON.parse(who.stdout).principal, principal);
  });
}

test('buf curl with nothing learns nothing', async (t) => {
  const people = await curl('nothing', here.endpoint, '--list-services');
  t.not(people.code, 0);
  t.regex(people.stderr, /not authenticated/);
  t.is(people.stdout, '');
  const inner = await curl('nothing', `https://127.0.0.1:${here.mtlsPort}`, '--list-services');
  t.not(inner.code, 0, 'the handshake is refused');
  t.is(inner.stdout, '');
});

test('JSON over HTTP/1.1 makes a claim and reads an error', async (t) => {
  const service = 'runmachine.scheduler.v1.ClaimService';
  const name = `${PROJECT}/claims/from-json`;
  const created = await post(`${service}/CreateClaim`, {
    parent: PROJECT,
    claimId: 'from-json',
    claim: {
      spec: { groups: [{ resources: [{ resourceType: 'runm.cpu.shared', amount: '1' }] }] },
    },
    requestId: randomUUID(),
  });
  t.is(created.status, 200, created.body);
  t.like(JSON.parse(created.body).claim, { name, status: { state: 'CLAIM_STATE_ACTIVE' } });
  const released = await post(`${service}/BeginRelease`, { name, requestId: randomUUID() });
  t.is(released.status, 200, released.body);
  const refused = await post(`${service}/GetClaim`, { name: `${PROJECT}/claims/nothing` });
  t.is(refused.status, 404);
  t.like(JSON.parse(refused.body), { code: 'not_found' });
  t.regex(refused.body, /"reason":\s*"NOT_FOUND"/);
});

type Answer = { readonly status: number; readonly body: string };

/** As curl does it: HTTP/1.1, one header for the token, JSON in and out. */
const post = (path: string, message: object): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${here.token()}`,
      'content-type': 'application/json',
    };
    const options = { method: 'POST', ca: here.caPem(), agent: false, headers };
    const sent = request(`${here.endpoint}/${path}`, options, (response) => {
      let body = '';
      response.on('data', (part: Buffer) => {
        body += part.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(message));
  });
