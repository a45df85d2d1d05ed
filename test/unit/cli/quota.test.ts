import { type MessageInitShape, create as message } from '@bufbuild/protobuf';
import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import {
  ClaimService,
  type ReportUsageRequest,
  UsageKey,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { QuotaSchema } from '../../../gen/runmachine/scheduler/v1/quota_pb.ts';
import {
  QuotaService,
  type SetQuotaRequest,
  type SetUserQuotasRequest,
} from '../../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import { get, list, set } from '../../../services/cli/commands/quota.ts';
import { show } from '../../../services/cli/commands/usage.ts';
import { callCommand } from './call-command.ts';

const GIB = 2n ** 30n;

const QUOTA: MessageInitShape<typeof QuotaSchema> = {
  name: 'partitions/lab/projects/red/quota',
  etag: 'e1',
  generation: 4n,
  spec: {
    limits: [
      { resourceType: 'runm.memory', amount: 64n * GIB },
      { resourceType: 'runm.cpu.shared', amount: 8n },
    ],
    users: [
      { user: 'users/ada', limits: [{ resourceType: 'runm.cpu.shared', amount: 4n }] },
      { user: 'users/bob', limits: [{ resourceType: 'runm.cpu.shared', amount: 2n }] },
    ],
    claimLengthMax: { seconds: 1_814_400n },
  },
  status: {
    uses: [
      { resourceType: 'runm.cpu.shared', limited: true, limit: 8n, used: 0n, peak: 0n },
      {
        resourceType: 'runm.memory',
        limited: true,
        limit: 64n * GIB,
        used: 3n * 2n ** 29n,
        peak: 60n * GIB,
      },
      { resourceType: 'runm.machine.whole', limited: false, used: 2n, peak: 3n },
    ],
  },
};

const recording = () => {
  const seen: { set: SetQuotaRequest[]; users: SetUserQuotasRequest[]; read: string[] } = {
    set: [],
    users: [],
    read: [],
  };
  const routes = (router: ConnectRouter) => {
    router.service(QuotaService, {
      getQuota: ({ name }) => {
        seen.read.push(name);
        return { quota: QUOTA };
      },
      listQuotas: () => ({ quotas: [QUOTA, { name: 'partitions/lab/projects/blue/quota' }] }),
      setQuota: (request) => {
        seen.set.push(request);
        return { quota: QUOTA };
      },
      setUserQuotas: (request) => {
        seen.users.push(request);
        return { quota: QUOTA };
      },
    });
  };
  return { seen, routes };
};

test('a quota shows limit, use and peak as people say them', async (t) => {
  const { seen, routes } = recording();
  const { stdout } = await callCommand(get, [], routes);
  t.deepEqual(seen.read, ['partitions/lab/projects/red/quota']);
  const lines = [
    'project                     red',
    'claims without an end last  21d',
    'longest claim               21d',
    'users/ada                   runm.cpu.shared 4',
    'users/bob                   runm.cpu.shared 2',
    '',
    'RESOURCE            LIMIT   USED     PEAK',
    'runm.cpu.shared     8       0        0',
    'runm.memory         64 GiB  1.5 GiB  60 GiB',
    'runm.machine.whole  none    2        3',
    '',
  ];
  t.is(stdout, lines.join('\n'));
});

test('a list has a line for each project and resource type', async (t) => {
  const { stdout } = await callCommand(list, [], recording().routes);
  t.regex(stdout, /^PROJECT +RESOURCE +LIMIT +USED +PEAK$/m);
  t.regex(stdout, /^red +runm\.memory +64 GiB +1\.5 GiB +60 GiB$/m);
});

test('limits that are not named stay, and the quota must be as it was read', async (t) => {
  const { seen, routes } = recording();
  const argv = ['red', 'runm.memory=128GiB', 'gpu.a100=2', '--default-length', '7d'];
  const called = await callCommand(set, [...argv, '--max-length', 'none'], routes);
  t.is(called.code, 0, called.stderr);
  const sent = seen.set[0]?.quota;
  t.like(sent, { etag: 'e1', generation: 4n });
  t.deepEqual(
    sent?.spec?.limits.map(({ resourceType, amount }) => [resourceType, amount]),
    [
      ['runm.cpu.shared', 8n],
      ['runm.memory', 128n * GIB],
      ['gpu.a100', 2n],
    ],
  );
  t.is(sent?.spec?.claimLengthDefault?.seconds, 604_800n);
  t.is(sent?.spec?.claimLengthMax, undefined);
});

test('a limit is taken away, and 0 is a limit', async (t) => {
  const { seen, routes } = recording();
  await callCommand(set, ['blue', 'runm.memory=none', 'runm.cpu.shared=0'], routes);
  t.is(seen.read[0], 'partitions/lab/projects/blue/quota');
  const limits = seen.set[0]?.quota?.spec?.limits ?? [];
  t.deepEqual(
    limits.map(({ resourceType, amount }) => [resourceType, amount]),
    [['runm.cpu.shared', 0n]],
  );
});

test('limits of one user leave those of the others', async (t) => {
  const { seen, routes } = recording();
  await callCommand(set, ['red', 'runm.memory=1GiB', '--user', 'ada'], routes);
  await callCommand(set, ['red', 'runm.cpu.shared=none', '--user', 'users/ada'], routes);
  t.is(seen.set.length, 0);
  const [first, second] = seen.users.map(({ users }) =>
    users.map(({ user, limits }) => `${user}:${limits.map((one) => one.resourceType).join('+')}`),
  );
  t.deepEqual(first, ['users/bob:runm.cpu.shared', 'users/ada:runm.cpu.shared+runm.memory']);
  t.deepEqual(second, ['users/bob:runm.cpu.shared']);
});

const refused = test.macro({
  exec: async (t, argv: string, told: RegExp) => {
    const { seen, routes } = recording();
    const { code, stderr } = await callCommand(set, argv.split(' '), routes);
    t.is(code, 2);
    t.regex(stderr, told);
    t.is(seen.set.length + seen.users.length, 0);
  },
  title: (_, argv: string) => `quota set ${argv} is refused`,
});
test(refused, 'red', /nothing to change/);
test(refused, 'red memory', /LIMIT: "memory" is not TYPE=AMOUNT/);
test(refused, 'red runm.memory=much', /runm.memory: "much" is not a size/);
test(refused, 'red runm.cpu.shared=-3', /runm.cpu.shared: "-3" is not an amount/);
test(refused, 'red runm.memory=99999PiB', /runm.memory: "99999PiB" is too much/);
test(refused, 'red --max-length long', /--max-length: "long" is not a span/);
test(refused, 'red --max-length 0s', /more than 0 s/);
test(refused, 'red --user ada --max-length 7d', /--max-length holds for the whole project/);

test('usage is summed by what is asked for, over all that one may see or one project', async (t) => {
  const requests: ReportUsageRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(ClaimService, {
      reportUsage: (request) => {
        requests.push(request);
        return {
          rows: [
            {
              project: 'red',
              user: 'users/ada',
              resourceType: 'runm.memory',
              claims: 3,
              amountAtEnd: 0n,
              amountPeak: 2n * GIB,
              amountSeconds: String(3n * 2n ** 29n * 3600n),
            },
            {
              project: 'red',
              user: 'users/ada',
              resourceType: 'runm.machine.whole',
              claims: 1,
              amountAtEnd: 1n,
              amountPeak: 1n,
              amountSeconds: '123456',
            },
          ],
        };
      },
    });
  };
  const { stdout } = await callCommand(show, ['--by', 'project,user'], routes);
  t.is(requests[0]?.parent, 'partitions/lab/projects/-');
  t.deepEqual(requests[0]?.keys, [UsageKey.PROJECT, UsageKey.USER]);
  t.is(requests[0]?.from?.seconds, 1_767_225_600n - 30n * 86_400n);
  const lines = [
    'PROJECT  USER       RESOURCE            CLAIMS  AT END  PEAK   AMOUNT × TIME',
    'red      users/ada  runm.memory         3       0       2 GiB  1.5 GiB h',
    'red      users/ada  runm.machine.whole  1       1       1      34.3 h',
    '',
  ];
  t.is(stdout, lines.join('\n'));
  await callCommand(show, ['--project', 'blue', '--from', '2025-12-01T00:00Z'], routes);
  t.is(requests[1]?.parent, 'partitions/lab/projects/blue');
  for (const by of ['cost', 'user,user', '']) {
    const { code, stderr } = await callCommand(show, ['--by', by], routes);
    t.is(code, 2);
    t.regex(stderr, /--by/);
  }
});

test('what the server answers keeps its names in JSON', async (t) => {
  const { stdout } = await callCommand(get, ['--json'], recording().routes);
  t.like(JSON.parse(stdout), { name: message(QuotaSchema, QUOTA).name, generation: '4' });
});
