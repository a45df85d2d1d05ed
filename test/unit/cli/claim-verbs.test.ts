import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectRouter } from '@connectrpc/connect';
import { Code, ConnectError } from '@connectrpc/connect';
import test from 'ava';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { type ClaimSchema, ClaimState } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  type ExecuteClaimRequest,
  type ExtendClaimRequest,
  type ListAllocationsRequest,
  type ListClaimsRequest,
  type ShortenClaimRequest,
  type TransferClaimRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { calendar } from '../../../services/cli/commands/claim/calendar.ts';
import { candidates } from '../../../services/cli/commands/claim/candidates.ts';
import { extend, release, shorten, transfer } from '../../../services/cli/commands/claim/change.ts';
import { create } from '../../../services/cli/commands/claim/create.ts';
import { list } from '../../../services/cli/commands/claim/read.ts';
import { callCommand } from './call-command.ts';

const UID = '01890000-0000-7000-8000-00000000000a';
/** 1 January 2026, the time of these tests. */
const NOW = 1_767_225_600n;
const at = (seconds: bigint) => ({ seconds: NOW + seconds, nanos: 0 });

type ClaimInit = MessageInitShape<typeof ClaimSchema>;
const CLAIM: ClaimInit = {
  name: 'partitions/lab/projects/red/claims/web',
  uid: UID,
  etag: 'e1',
  spec: { releaseTime: at(7200n) },
};

const recording = (claim: ClaimInit = CLAIM) => {
  const seen: {
    extended: ExtendClaimRequest[];
    shortened: ShortenClaimRequest[];
    transferred: TransferClaimRequest[];
  } = { extended: [], shortened: [], transferred: [] };
  const routes = (router: ConnectRouter) => {
    router.service(MachineService, {
      getMachine: ({ name }) => ({ machine: { name, uid: UID } }),
    });
    router.service(ClaimService, {
      getClaim: () => ({ claim }),
      extendClaim: (request) => {
        seen.extended.push(request);
        return { claim };
      },
      shortenClaim: (request) => {
        seen.shortened.push(request);
        return { claim };
      },
      transferClaim: (request) => {
        seen.transferred.push(request);
        return { claim };
      },
      beginRelease: ({ name }) => ({ claim: { name, status: { state: ClaimState.RELEASING } } }),
    });
  };
  return { seen, routes };
};

test('an end is moved by a span from the end that was read, which must still be so', async (t) => {
  const { seen, routes } = recording();
  const called = await callCommand(extend, ['web', '--by', '2h'], routes);
  t.is(called.code, 0, called.stderr);
  t.regex(called.stdout, /^web ends 2026-01-01 /);
  t.is(seen.extended[0]?.releaseTime?.seconds, NOW + 14_400n);
  t.is(seen.extended[0]?.etag, 'e1');
  await callCommand(shorten, ['web', '--by', '30m'], routes);
  t.is(seen.shortened[0]?.releaseTime?.seconds, NOW + 5400n);
});

test('an end is moved to a time, or away', async (t) => {
  const { seen, routes } = recording();
  await callCommand(extend, ['web', '--until', 'in 3h'], routes);
  t.is(seen.extended[0]?.releaseTime?.seconds, NOW + 10_800n);
  t.is(seen.extended[0]?.etag, '');
  await callCommand(extend, ['web', '--for-ever'], routes);
  t.is(seen.extended[1]?.releaseTime, undefined);
});

test('without a new end, or from no end, nothing is asked', async (t) => {
  const { seen, routes } = recording({ ...CLAIM, spec: {} });
  for (const argv of [[], ['--by', '1h', '--until', 'tomorrow'], ['--by', '1h']]) {
    const { code, stderr } = await callCommand(extend, ['web', ...argv], routes);
    t.is(code, 2);
    t.regex(stderr, /either --by or --until|web has no end to count from/);
  }
  t.is(seen.extended.length, 0);
});

test('a claim is handed to another machine, from the one that must hold it', async (t) => {
  const { seen, routes } = recording();
  const argv = ['web', '--to', 'machine:web-2', '--held-by', UID];
  const called = await callCommand(transfer, argv, routes);
  t.is(called.stdout, 'web is held by web-2\n');
  t.like(seen.transferred[0], { fromConsumerUid: UID });
  t.like(seen.transferred[0]?.consumer, {
    type: 'runm.machine',
    uid: UID,
    name: 'partitions/lab/projects/red/machines/web-2',
  });
  const wrong = await callCommand(transfer, ['web', '--to', 'web-2'], routes);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /--to: "web-2" is no consumer/);
});

test('a release says where the claim stands', async (t) => {
  const { stdout } = await callCommand(release, ['web'], recording().routes);
  t.is(stdout, 'web is releasing\n');
});

test('a list is of chosen states and providers', async (t) => {
  const requests: ListClaimsRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, { getProvider: () => ({ provider: { uid: UID } }) });
    router.service(ClaimService, {
      listClaims: (request) => {
        requests.push(request);
        return {};
      },
    });
  };
  const argv = ['--state', 'active,at-risk', '--provider', 'metal-01', '--all-projects'];
  await callCommand(list, argv, routes);
  t.is(requests[0]?.parent, 'partitions/lab/projects/-');
  t.deepEqual(requests[0]?.filter?.states, [ClaimState.ACTIVE, ClaimState.AT_RISK]);
  t.is(requests[0]?.filter?.providerUid, UID);
  const { code, stderr } = await callCommand(list, ['--state', 'idle'], routes);
  t.is(code, 2);
  t.regex(stderr, /--state: "idle" is no state of a claim\s+one of pending, active/);
});

test('candidates are ranked with what they have free', async (t) => {
  const whole = { group: 'main', resourceType: 'runm.machine.whole', amount: 1n };
  const { stdout } = await callCommand(candidates, ['--whole', '--count', '2'], (router) => {
    router.service(ClaimService, {
      listClaimCandidates: () => ({
        candidates: [
          {
            allocations: [
              { ...whole, providerUid: 'a', provider: 'partitions/lab/providers/metal-1' },
              { ...whole, providerUid: 'b', provider: 'partitions/lab/providers/metal-2' },
            ],
          },
        ],
        providers: ['a', 'b'].map((providerUid) => ({
          providerUid,
          resources: [
            { resourceType: 'runm.machine.whole', usable: 1n, used: 0n },
            { resourceType: 'runm.memory', usable: 9n, used: 0n },
          ],
        })),
      }),
    });
  });
  const lines = [
    'RANK  WOULD HOLD            FREE THERE  PROVIDERS',
    '1     2 runm.machine.whole  2           metal-1 metal-2',
    '',
  ];
  t.is(stdout, lines.join('\n'));
});

const ALLOCATION = {
  claim: 'partitions/lab/projects/blue/claims/db',
  claimUid: UID,
  acquireTime: at(0n),
  releaseTime: at(86_400n),
  state: ClaimState.ACTIVE,
  allocation: { providerUid: 'b', provider: 'metal-10', resourceType: 'x', amount: 1n },
};

test('a calendar draws every provider of the group, and only those with holds for who may not list them', async (t) => {
  const requests: ListAllocationsRequest[] = [];
  const routes = (mayList: boolean) => (router: ConnectRouter) => {
    router.service(ProviderService, {
      listProviders: ({ filter }) => {
        if (!mayList) throw new ConnectError('no', Code.PermissionDenied);
        t.is(filter?.group, 'rack1');
        return {
          providers: [
            { uid: 'b', name: 'partitions/lab/providers/metal-10' },
            { uid: 'a', name: 'partitions/lab/providers/metal-9' },
          ],
        };
      },
    });
    router.service(ClaimService, {
      listAllocations: (request) => {
        requests.push(request);
        return { allocations: [ALLOCATION] };
      },
    });
  };
  const argv = ['--group', 'rack1', '--days', '2'];
  const all = await callCommand(calendar, argv, routes(true));
  t.is(requests[0]?.parent, 'partitions/lab/projects/-');
  t.is(requests[0]?.providerGroup, 'rack1');
  t.is(requests[0]?.until?.seconds, NOW + 172_800n);
  t.regex(all.stdout, /^metal-9 +·+\nmetal-10 +A+·+$/m);
  t.regex(all.stdout, /^A {2}blue\/db .* active/m);
  const own = await callCommand(calendar, argv, routes(false));
  t.notRegex(own.stdout, /metal-9/);
  t.regex(own.stdout, /^metal-10 +A+·+$/m);
  const document = await callCommand(calendar, [...argv, '--json'], routes(true));
  t.like(JSON.parse(document.stdout), [{ claimUid: UID }]);
});

test('a claim is made on the candidate of that rank and nowhere else', async (t) => {
  const executed: ExecuteClaimRequest[] = [];
  const routes = (router: ConnectRouter) => {
    router.service(ClaimService, {
      listClaimCandidates: ({ limit }) => ({
        candidates: ['a', 'b'].slice(0, limit).map((providerUid) => ({
          allocations: [{ providerUid, resourceType: 'runm.machine.whole', amount: 1n }],
        })),
      }),
      executeClaim: (request) => {
        executed.push(request);
        return { claim: { name: `${request.parent}/claims/${request.claimId}` } };
      },
    });
  };
  const argv = ['web', '--whole', '--for', '1h', '--candidate'];
  const made = await callCommand(create, [...argv, '2'], routes);
  t.is(made.code, 0, made.stderr);
  t.is(executed[0]?.candidate?.allocations[0]?.providerUid, 'b');
  t.is(executed[0]?.claim?.spec?.releaseTime?.seconds, NOW + 3600n);
  const third = await callCommand(create, [...argv, '3'], routes);
  t.regex(third.stderr, /there are only 2 candidates/);
  for (const wrong of ['0', 'best', '1001']) {
    t.is((await callCommand(create, [...argv, wrong], routes)).code, 2);
  }
  t.is(executed.length, 1);
});
