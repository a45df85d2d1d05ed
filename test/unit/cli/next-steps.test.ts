/** Every refusal says what to type next, as far as it can be known. */
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { IdentityService } from '../../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { UserService } from '../../../gen/runmachine/identity/v1/user_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { MachineState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { create } from '../../../services/cli/commands/machine/create.ts';
import { list } from '../../../services/cli/commands/machine/read.ts';
import { forceFail } from '../../../services/cli/commands/machine/server.ts';
import { status } from '../../../services/cli/commands/status.ts';
import { grant } from '../../../services/cli/commands/user.ts';
import { whoami } from '../../../services/cli/commands/whoami.ts';
import { nextSteps } from '../../../services/cli/next-steps.ts';
import { callCommand } from './call-command.ts';

const P = 'partitions/lab';

const refusal = (code: Code, name: string, reason?: string) =>
  new ConnectError(
    `"${name}" …`,
    code,
    undefined,
    reason === undefined
      ? []
      : [{ desc: ErrorInfoSchema, value: { reason, domain: 'x', metadata: { name } } }],
  );

test('what another one has already is shown at the one that has it', (t) => {
  const metadata = { name: `${P}/providers/new`, holder: `${P}/providers/r1u1` };
  const value = { reason: 'ALREADY_EXISTS', domain: 'x', metadata };
  const details = [{ desc: ErrorInfoSchema, value }];
  const error = new ConnectError('taken', Code.AlreadyExists, undefined, details);
  t.deepEqual(nextSteps(error, 'https://here:1'), ['runm provider get r1u1']);
});

const next = test.macro((t, error: ConnectError, wanted: RegExp) => {
  t.regex(nextSteps(error, 'https://here:1').join('\n'), wanted);
});

test(
  'a machine that is not there',
  next,
  refusal(Code.NotFound, `${P}/projects/red/machines/m`),
  /^runm machine list, or another --project than red$/,
);
test(
  'a server whose state is not there',
  next,
  refusal(Code.NotFound, `${P}/providers/r/state`),
  /^runm provider list$/,
);
test('what is only for operators', next, refusal(Code.NotFound, P), /whoami.*operators/);
test(
  'a project that is not there',
  next,
  refusal(Code.NotFound, `${P}/projects/red`),
  /project list.*RUNM_PROJECT/,
);
test(
  'a name that is taken',
  next,
  refusal(Code.AlreadyExists, 'projects/red'),
  /^runm project get red$/,
);
test('a role that is missing', next, refusal(Code.PermissionDenied, 'x'), /whoami.*user grant/);
test(
  'a server that is held',
  next,
  refusal(Code.FailedPrecondition, 'x', 'HELD_BY_TENANT'),
  /--force --reason/,
);
test(
  'a server that is never to be provisioned',
  next,
  refusal(Code.FailedPrecondition, 'x', 'NEVER_PROVISION'),
  /runm provider update .* --never-provision no/,
);
test('an agent that is away', next, refusal(Code.Unavailable, 'x', 'NO_AGENT'), /runm agent list/);
test(
  'a service that is away',
  next,
  refusal(Code.Unavailable, 'x', 'SERVICE_UNAVAILABLE'),
  /runm status/,
);
test('nobody who listens', next, refusal(Code.Unavailable, 'x'), /https:\/\/here:1\? Start it/);
test(
  'an answer that did not come in time',
  next,
  refusal(Code.DeadlineExceeded, 'x'),
  /look first/,
);

test('a tenant who may not end work by force is told what he may do, also in JSON', async (t) => {
  const routes = (router: ConnectRouter) => {
    router.service(MachineService, {
      forceFailMachine: () => {
        throw new ConnectError('users/ada does not hold it', Code.PermissionDenied);
      },
    });
  };
  const argv = ['m1', '--reason', 'stuck'];
  const { code, stderr } = await callCommand(forceFail, argv, routes);
  t.is(code, 6);
  t.regex(stderr, /next: runm machine delete m1[\s\S]*ask an operator .*force-fail m1 --reason/);
  const told = JSON.parse((await callCommand(forceFail, [...argv, '--json'], routes)).stderr);
  t.regex(told.next[0], /runm machine delete m1/);
});

test('a wait that cannot be is told before anything is made', async (t) => {
  let made = 0;
  const routes = (router: ConnectRouter) => {
    router.service(MachineService, {
      createMachine: () => {
        made += 1;
        return {};
      },
    });
  };
  for (const wrong of [
    ['--wait', '--timeout', 'soon'],
    ['--timeout', '5m'],
  ]) {
    t.is((await callCommand(create, ['m1', '--boot-none', ...wrong], routes)).code, 2);
  }
  t.is(made, 0);
});

test('a role is not given for everywhere to who meant one project', async (t) => {
  let granted = 0;
  const routes = (router: ConnectRouter) => {
    router.service(UserService, {
      grantRole: () => {
        granted += 1;
        return {};
      },
    });
  };
  const slip = await callCommand(grant, ['ada', 'member', '--project', 'red'], routes);
  t.is(slip.code, 2);
  t.regex(slip.stderr, /write --in-project red/);
  t.is(granted, 0);
  const meant = ['ada', 'member', '--project', 'red', '--in-project', 'red'];
  t.is((await callCommand(grant, meant, routes)).code, 0);
});

test('whoever has no role is told how he gets one', async (t) => {
  const { stderr } = await callCommand(whoami, [], (router) => {
    router.service(IdentityService, { whoAmI: () => ({ principal: 'users/ada' }) });
  });
  t.regex(stderr, /next: .*runm user grant ada member --in-project/);
});

test('a status with something amiss says what to type', async (t) => {
  const { stdout, stderr } = await callCommand(status, [], (router) => {
    router.service(PartitionService, {
      listPartitions: () => ({ partitions: [{ name: 'partitions/lab' }] }),
    });
    router.service(ClaimService, { listClaims: () => ({ claims: [] }) });
    router.service(MachineService, {
      listMachines: () => ({ machines: [{ status: { state: MachineState.BOOT_FAILED } }] }),
    });
  });
  t.regex(stdout, /machines +1 boot failed/);
  t.regex(stderr, /^next: runm machine list --all-projects --filter "state=\*failed"$/m);
});

test('machines of all projects are listed with their project', async (t) => {
  const { stdout } = await callCommand(list, ['--all-projects', '--sort', 'name'], (router) => {
    router.service(MachineService, {
      listMachines: ({ parent }) => ({
        machines: [
          { name: `${parent.replace('-', 'red')}/machines/b` },
          { name: `${parent.replace('-', 'blue')}/machines/a` },
        ],
      }),
    });
  });
  t.regex(stdout, /^blue +a .*\nred +b /m);
});
