import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { NoCapacitySchema } from '../../../gen/runmachine/common/v1/error_pb.ts';
import {
  ClaimService,
  type ExplainClaimRequest,
  type FindWindowsRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { create } from '../../../services/cli/commands/claim/create.ts';
import { explain } from '../../../services/cli/commands/claim/explain.ts';
import { windows } from '../../../services/cli/commands/claim/windows.ts';
import { withSizes } from '../../../services/cli/format/funnel.ts';
import { callCommand } from './call-command.ts';

const noCapacity = () =>
  new ConnectError(
    'Nothing fits group "main": of 120 providers "capability cpu.avx512" removed 100',
    Code.ResourceExhausted,
    undefined,
    [
      {
        desc: ErrorInfoSchema,
        value: {
          reason: 'NO_CAPACITY',
          domain: 'runmachine',
          metadata: { providers: '120', group: 'main' },
        },
      },
      {
        desc: NoCapacitySchema,
        value: {
          steps: [
            { constraint: 'capability cpu.avx512', removed: 100 },
            { constraint: 'runm.memory of 68719476736', removed: 20 },
          ],
          fitsWithout: ['capability cpu.avx512'],
          suggestions: ['34359738368 of runm.memory instead of 68719476736', 'begin tomorrow'],
        },
      },
    ],
  );

const quotaExceeded = () =>
  new ConnectError(
    'users/ada in project "red" may hold 68719476736 of …',
    Code.ResourceExhausted,
    undefined,
    [
      {
        desc: ErrorInfoSchema,
        value: {
          reason: 'QUOTA_EXCEEDED',
          domain: 'runmachine',
          metadata: {
            project: 'red',
            user: 'users/ada',
            resourceType: 'runm.memory',
            limit: String(64n * 2n ** 30n),
            used: String(60n * 2n ** 30n),
            wanted: String(8n * 2n ** 30n),
          },
        },
      },
    ],
  );

const refusing = (error: () => ConnectError) => (router: ConnectRouter) => {
  router.service(ClaimService, {
    createClaim: () => {
      throw error();
    },
    explainClaim: () => ({ suggestions: ['3 of runm.cpu.shared instead of 9'] }),
  });
};

test('a refusal shows its funnel, what would fit, and what to type next', async (t) => {
  const argv = ['web', '--memory', '64GiB', '--distance', 'n<=a from group:r', '--for', '4h'];
  const { code, stdout, stderr } = await callCommand(create, argv, refusing(noCapacity));
  t.is(code, 7);
  t.is(stdout, '');
  const request = "--memory 64GiB --distance 'n<=a from group:r'";
  const lines = [
    'runm: Nothing fits group "main"',
    '      of 120 providers:',
    '        capability cpu.avx512  removed 100  20 left',
    '        runm.memory of 64 GiB  removed  20   0 left',
    '      it would fit without: capability cpu.avx512',
    '      what would fit: 32 GiB of runm.memory instead of 64 GiB',
    '                  or: begin tomorrow',
    `      next: runm claim explain ${request} --for 4h`,
    `            runm claim windows ${request} --for 4h`,
    '',
  ];
  t.is(stderr, lines.join('\n'));
});

test('where the refusal does not say what would fit, it is looked for', async (t) => {
  const bare = () =>
    new ConnectError('Nothing fits group "main"', Code.ResourceExhausted, undefined, [
      { desc: ErrorInfoSchema, value: { reason: 'NO_CAPACITY', domain: 'runmachine' } },
      { desc: NoCapacitySchema, value: { steps: [{ constraint: 'free', removed: 6 }] } },
    ]);
  const told = await callCommand(create, ['web', '--whole'], refusing(bare));
  t.regex(told.stderr, /what would fit: 3 of runm\.cpu\.shared instead of 9\n/);
  const silent = await callCommand(create, ['web', '--whole'], (router) => {
    router.service(ClaimService, {
      createClaim: () => {
        throw bare();
      },
    });
  });
  t.is(silent.code, 7);
  t.notRegex(silent.stderr, /what would fit/);
});

test('without an end the proposed search is for a day, and a window of dates has its length', async (t) => {
  const always = await callCommand(create, ['web', '--whole'], refusing(noCapacity));
  t.regex(always.stderr, /runm claim windows --whole --for 1d\n/);
  const dated = ['web', '--whole', '--from', '2026-02-01T00:00Z', '--until', '2026-02-01T12:30Z'];
  const windowed = await callCommand(create, dated, refusing(noCapacity));
  t.regex(windowed.stderr, /runm claim windows --whole --for 12h30m\n/);
  t.regex(windowed.stderr, /explain --whole --from 2026-02-01T00:00Z --until 2026-02-01T12:30Z\n/);
});

test('a program reads the funnel as JSON', async (t) => {
  const called = await callCommand(create, ['web', '--whole', '--json'], refusing(noCapacity));
  const told: unknown = JSON.parse(called.stderr);
  t.like(told, {
    code: 'ResourceExhausted',
    reason: 'NO_CAPACITY',
    capacity: {
      steps: [
        { constraint: 'capability cpu.avx512', removed: 100 },
        { constraint: 'runm.memory of 68719476736', removed: 20 },
      ],
      fitsWithout: ['capability cpu.avx512'],
    },
  });
});

test('a used up quota says limit, used and wanted, what would fit, and how to see it', async (t) => {
  const { code, stderr } = await callCommand(create, ['web', '--whole'], refusing(quotaExceeded));
  t.is(code, 7);
  const lines = [
    'runm: users/ada in project "red" may not hold that much',
    '      runm.memory: limit 64 GiB, used 60 GiB, wanted 8 GiB',
    '      what would fit: 3 of runm.cpu.shared instead of 9',
    '      next: runm quota get red',
    '            runm claim windows --whole --for 1d',
    '',
  ];
  t.is(stderr, lines.join('\n'));
});

const tooLong = () =>
  new ConnectError(
    'The claim has no end: project "red" allows 1814400 s, until 2026-01-22T00:00:00.000Z',
    Code.FailedPrecondition,
    undefined,
    [
      {
        desc: ErrorInfoSchema,
        value: {
          reason: 'CLAIM_TOO_LONG',
          domain: 'runmachine',
          metadata: {
            project: 'red',
            claimLengthMax: '1814400 s',
            latestReleaseTime: '2026-01-22T00:00:00.000Z',
          },
        },
      },
    ],
  );

test('what a service says in bytes is said as a size, and sizes stay as they are', (t) => {
  t.is(withSizes('runm.memory of 68719476736'), 'runm.memory of 64 GiB');
  t.is(withSizes('32 of runm.cpu.shared instead of 64'), '32 of runm.cpu.shared instead of 64');
  for (const said of ['runm.memory of 64 GiB', 'runm.memory of 1.5 GiB', 'runm.memory of 7 B']) {
    t.is(withSizes(said), said);
  }
  const suggested = '32 GiB of runm.memory instead of 64 GiB';
  t.is(withSizes(suggested), suggested);
});

test('a claim that is too long is told how long it may be, as people say it', async (t) => {
  const { code, stderr } = await callCommand(create, ['web', '--whole'], refusing(tooLong));
  t.is(code, 5);
  const [first, second, third] = stderr.split('\n');
  t.is(first, 'runm: The claim has no end');
  t.regex(second ?? '', /^ {6}a claim of project "red" lasts at most 21d, here until 2026-01-2\d /);
  t.is(third, '      next: runm quota get red');
});

test('an explanation has a funnel for each group', async (t) => {
  const requests: ExplainClaimRequest[] = [];
  const called = await callCommand(explain, ['--whole', '--count', '8'], (router) => {
    router.service(ClaimService, {
      explainClaim: (request) => {
        requests.push(request);
        return {
          fits: false,
          groups: [
            {
              group: 'main',
              providers: 40,
              steps: [
                { constraint: 'offered', removed: 0, remaining: 40 },
                { constraint: 'open', removed: 33, remaining: 7 },
              ],
              remaining: 7,
              fitsWithout: [],
            },
            { group: 'disk', providers: 40, steps: [], remaining: 40, fitsWithout: [] },
          ],
          obstacle: 'count 8 isolated',
          suggestions: ['--count 7'],
        };
      },
    });
  });
  t.is(requests[0]?.spec?.count, 8);
  const lines = [
    'it does not fit',
    'group "main", of 40 providers:',
    '  open  removed 33  7 left',
    '  1 more constraint removed none',
    'group "disk", of 40 providers:',
    '  40 left',
    'in the way: count 8 isolated',
    'what would fit: --count 7',
    '',
  ];
  t.is(called.stdout, lines.join('\n'));
});

test('windows are searched for a length, and the first can be reserved as it is shown', async (t) => {
  const requests: FindWindowsRequest[] = [];
  const begin = { seconds: 1_767_225_600n + 7200n, nanos: 0 };
  const routes = (router: ConnectRouter) => {
    router.service(ClaimService, {
      findWindows: (request) => {
        requests.push(request);
        return { windows: [{ begin, latestBegin: begin, providers: 9 }] };
      },
    });
  };
  const argv = ['--whole', '--count', '8', '--for', '4h', '--until', '2026-02-01T00:00Z'];
  const { stdout, stderr } = await callCommand(windows, argv, routes);
  const [request] = requests;
  t.is(request?.duration?.seconds, 14_400n);
  t.is(request?.latest?.seconds, 1_769_904_000n);
  t.is(request?.earliest, undefined);
  t.is(request?.spec?.releaseTime, undefined);
  t.regex(stdout, /^BEGIN +THAT IS +LATEST BEGIN +PROVIDERS\n2026-01-01 .* in 2 h .* 9$/m);
  const reserve = 'runm claim reserve NAME --whole --count 8';
  t.is(stderr, `next: ${reserve} --from 2026-01-01T02:00:00.000Z --for 4h\n`);
  const quiet = await callCommand(windows, ['--whole', '--for', '4h', '-q'], routes);
  t.is(quiet.stdout, '2026-01-01T02:00:00.000Z\n');
});

test('a window that is open now is claimed and not reserved for a time that is past', async (t) => {
  const begin = timestampFromDate(new Date('2026-01-01T00:00:00Z'));
  const { stderr } = await callCommand(windows, ['--whole', '--for', '4h'], (router) => {
    router.service(ClaimService, {
      findWindows: () => ({ windows: [{ begin, latestBegin: begin, providers: 9 }] }),
    });
  });
  t.is(stderr, 'next: runm claim create NAME --whole --for 4h\n');
});
