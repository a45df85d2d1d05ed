import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create as message } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code as ConnectCode, ConnectError } from '@connectrpc/connect';
import test from 'ava';
import { Code } from '../../../gen/google/rpc/code_pb.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BatchCreateClaimsRequest,
  ClaimService,
  type CreateClaimRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { create } from '../../../services/cli/commands/claim/create.ts';
import { get } from '../../../services/cli/commands/claim/read.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { callCommand } from './call-command.ts';

const STORED = message(ClaimSchema, {
  name: 'partitions/lab/projects/blue/claims/train',
  uid: '01890000-0000-7000-8000-00000000000a',
  generation: 3n,
  tags: ['nightly'],
  spec: {
    acquireTime: timestampFromDate(new Date('2026-03-01T00:00:00Z')),
    releaseTime: timestampFromDate(new Date('2026-03-02T00:00:00Z')),
    count: 8,
    groups: [
      {
        name: 'main',
        resources: [{ resourceType: 'runm.memory', amount: 2n ** 60n }],
        isolateFrom: ['main'],
      },
      { name: 'disk', resources: [{ resourceType: 'runm.storage.block', amount: 10n }] },
    ],
  },
  status: { revision: 9n },
});

/** As the server answers what does not meet the contract: nothing of the call is done. */
const invalidItem = (at: number) => {
  const field = `claims[${at}].claim.tags[0]`;
  const fieldViolations = [{ field, description: 'must not be empty' }];
  return new ConnectError(
    `The request is not valid: ${field}: must not be empty`,
    ConnectCode.InvalidArgument,
    undefined,
    [
      {
        desc: ErrorInfoSchema,
        value: { reason: 'INVALID_FIELD', domain: 'runmachine', metadata: { field } },
      },
      { desc: BadRequestSchema, value: { fieldViolations } },
    ],
  );
};

/**
 * Calls `claim create` with a file of that text; batches refuse what is called "no", and a call
 * with an item called "odd" or "cut" fails as a whole.
 */
const createFrom = async (text: string, ...argv: string[]) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'claims.yaml');
  writeFileSync(file, text);
  const singles: CreateClaimRequest[] = [];
  const batches: BatchCreateClaimsRequest[] = [];
  const called = await callCommand(create, ['-f', file, ...argv], (router) => {
    router.service(ClaimService, {
      getClaim: () => ({ claim: STORED }),
      createClaim: (request) => {
        singles.push(request);
        return { claim: { name: `${request.parent}/claims/${request.claimId}` } };
      },
      batchCreateClaims: (request) => {
        batches.push(request);
        const odd = request.claims.findIndex(({ claimId }) => claimId === 'odd');
        if (odd >= 0) throw invalidItem(odd);
        if (request.claims.some(({ claimId }) => claimId === 'cut')) {
          throw new ConnectError('the connection broke', ConnectCode.Unavailable);
        }
        return {
          results: request.claims.map(({ claimId }) => ({
            result:
              claimId === 'no'
                ? {
                    case: 'error',
                    value: { code: Code.RESOURCE_EXHAUSTED, message: 'Nothing fits' },
                  }
                : { case: 'claim', value: { name: `${request.parent}/claims/${claimId}` } },
          })),
        };
      },
    });
  });
  return { called, singles, batches };
};

test('what `claim get --yaml` prints is what `claim create -f` takes', async (t) => {
  const printed = await callCommand(get, ['train', '--yaml'], (router) => {
    router.service(ClaimService, { getClaim: () => ({ claim: STORED }) });
  });
  const { singles, called } = await createFrom(printed.stdout);
  t.is(called.code, 0, called.stderr);
  const [request] = singles;
  t.is(request?.parent, 'partitions/lab/projects/blue');
  t.is(request?.claimId, 'train');
  t.deepEqual(request?.claim?.spec, STORED.spec);
  t.deepEqual(request?.claim?.tags, STORED.tags);
});

test('a name and a window that are typed go before those of the file', async (t) => {
  const { singles } = await createFrom('{name: a, whole: true, for: 4h}', 'b', '--for', '1h');
  t.is(singles[0]?.claimId, 'b');
  t.is(singles[0]?.claim?.spec?.releaseTime?.seconds, 1_767_225_600n + 3600n);
});

test('a file may say what one would type', async (t) => {
  const text = ['name: web', 'cpus: 2', 'memory: 1GiB', 'require: [cpu.avx2]', 'isolate: true'];
  const { singles } = await createFrom(text.join('\n'));
  const group = singles[0]?.claim?.spec?.groups[0];
  t.deepEqual(
    group?.resources.map(({ resourceType, amount }) => [resourceType, amount]),
    [
      ['runm.cpu.shared', 2n],
      ['runm.memory', 1_073_741_824n],
    ],
  );
  t.deepEqual(group?.capabilities[0]?.require, ['cpu.avx2']);
  t.deepEqual(group?.isolateFrom, ['main']);
});

test('several claims of a file are each made for itself, and each has its result', async (t) => {
  const names = ['a', 'no', 'b'];
  const text = names.map((name) => `name: ${name}\nwhole: true`).join('\n---\n');
  const { called, batches, singles } = await createFrom(text);
  t.is(singles.length, 0);
  t.deepEqual(
    batches[0]?.claims.map((one) => one.claimId),
    names,
  );
  t.is(called.code, 7, 'the code of the first refusal');
  t.regex(called.stdout, /^no +refused: Nothing fits$/m);
  t.regex(called.stderr, /1 of 3 were refused/);
});

test('more claims than a call takes go in several calls', async (t) => {
  const claims = Array.from({ length: 130 }, (_, at) => ({ name: `c${at}`, whole: true }));
  const { batches, called } = await createFrom(JSON.stringify(claims), '-q');
  t.deepEqual(
    batches.map((one) => one.claims.length),
    [64, 64, 2],
  );
  t.is(called.stdout.split('\n').filter((line) => line !== '').length, 130);
});

const filed = (count: number, names: Readonly<Record<number, string>>) =>
  JSON.stringify(
    Array.from({ length: count }, (_, at) => ({
      name: names[at + 1] ?? `c${at + 1}`,
      whole: true,
    })),
  );

test('a later call that is refused hides nothing that was made, and names the document', async (t) => {
  const { called, batches } = await createFrom(filed(130, { 1: 'no', 70: 'odd' }));
  t.is(batches.length, 2, 'nothing is asked after it');
  t.is(called.code, 2);
  t.is(called.stdout.split('\n').filter((line) => /^c?\w+ {2}/.test(line)).length, 65);
  t.regex(called.stdout, /^no +refused: Nothing fits\n/m);
  t.regex(called.stdout, /^c64 /m);
  t.notRegex(called.stdout, /^c65 /m);
  const lines = [
    '1 of 64 were refused',
    'documents 65 to 130 are without a result',
    'runm: The request is not valid: document 70: tags[0]: must not be empty',
    '',
  ];
  t.is(called.stderr, lines.join('\n'));
});

test('a broken connection has its exit code, and what was made before it is a document', async (t) => {
  const { called } = await createFrom(filed(65, { 65: 'cut' }), '--json');
  t.is(called.code, 8);
  t.is(JSON.parse(called.stdout).length, 64);
  const [first, ...rest] = called.stderr.split('\n');
  t.is(first, 'document 65 is without a result');
  t.like(JSON.parse(rest.join('\n')), { code: 'Unavailable', message: 'the connection broke' });
});

test('a program is told the document too, and of a first call there is nothing to show', async (t) => {
  const { called } = await createFrom(filed(3, { 2: 'odd' }), '--json');
  t.is(called.stdout, '');
  t.like(JSON.parse(called.stderr), {
    metadata: { field: 'document 2: tags[0]' },
    violations: [{ field: 'document 2: tags[0]', description: 'must not be empty' }],
  });
});

test('of several groups it is told which one holds what', async (t) => {
  const { stdout } = await callCommand(get, ['train'], (router) => {
    router.service(ClaimService, {
      getClaim: () => ({
        claim: {
          name: STORED.name,
          spec: STORED.spec,
          status: {
            allocations: [
              { group: 'disk', index: 1, provider: 'p', resourceType: 'x.y', amount: 3n },
              ...Array.from({ length: 40 }, () => ({ group: 'main', resourceType: 'z' })),
            ],
          },
        },
      }),
    });
  });
  t.regex(stdout, /^holds +3 x\.y of p for disk 2$/m);
  t.regex(stdout, /^ +and 9 more allocations$/m);
});

const refused = test.macro({
  exec: async (t, text: string, told: RegExp, ...argv: string[]) => {
    const { called, singles, batches } = await createFrom(text, ...argv);
    t.is(called.code, 2);
    t.is(singles.length + batches.length, 0);
    t.regex(called.stderr, told);
  },
  title: (_, text: string) => `a file ${JSON.stringify(text)} is refused before any call`,
});
test(refused, '', /holds no claim/);
test(refused, 'name: [', /neither YAML nor JSON/);
test(refused, 'just text', /is no claim/);
test(
  refused,
  'name: a\nwhole: true\ncuont: 2',
  /there is no "cuont" in a claim\s+did you mean "count"/,
);
test(refused, 'name: a\nwhole: 1', /"whole" is true or false/);
test(refused, 'name: a\ncpus: [1, 2]', /"cpus" is text/);
test(refused, 'spec: {groups: [{resuorces: []}]}', /resuorces/);
test(refused, 'whole: true', /NAME is missing/);
test(refused, '[{name: a, whole: true}, {whole: true}]', /claim 2 of the file has no name/);
test(refused, '[{name: a, whole: true}, {name: b, count: 2}]', /nothing is claimed/);
test(refused, 'name: a\nwhole: true', /--cpus 2 and -f exclude each other/, '--cpus', '2');
test(refused, '[{name: a, whole: true}, {name: b, whole: true}]', /each its name in the file/, 'x');
test(
  refused,
  '[{name: partitions/lab/projects/x/claims/a, spec: {}}, {name: b, spec: {}}]',
  /of several projects/,
);
