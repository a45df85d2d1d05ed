/** What an operator asks of a rack: what there is, where it stands, who holds it until when. */
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ProviderLifeState } from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { ProviderStateService } from '../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import {
  ClaimService,
  type ListAllocationsRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { get } from '../../../services/cli/commands/provider/get.ts';
import { list } from '../../../services/cli/commands/provider/list.ts';
import { callCommand } from './call-command.ts';

const uidOf = (index: number) => `01890000-0000-7000-8000-00000000000${index}`;
const GIB = 2n ** 30n;

const provider = (index: number, memoryBytes: bigint) => ({
  name: `partitions/lab/providers/r1u${index}`,
  uid: uidOf(index),
  spec: { type: ProviderType.BARE_METAL, groups: ['rack1'] },
  status: { observedFacts: { memoryBytes } },
});

const PROVIDERS = [provider(1, 64n * GIB), provider(2, 8n * GIB), provider(10, 512n * GIB)];

const allocation = (index: number, holder: string, until: Date | undefined) => ({
  claim: `partitions/lab/projects/red/claims/${holder}`,
  ...(holder.startsWith('bench') && { consumer: { name: `x/machines/${holder}` } }),
  ...(until && { releaseTime: timestampFromDate(until) }),
  allocation: { providerUid: uidOf(index), resourceType: 'runm.machine.whole', amount: 1n },
});

const away = () => {
  throw new ConnectError('the scheduler is away', Code.Unavailable);
};

/** r1u2 is held by a machine until the second, r1u10 by two claims. */
const rack = (isSchedulerAway = false) => {
  const asked: ListAllocationsRequest[] = [];
  const tomorrow = new Date('2026-01-02T00:00:00Z');
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, {
      listProviders: () => ({ providers: PROVIDERS }),
      getProvider: () => ({ provider: PROVIDERS[2] ?? {} }),
    });
    const states = [1, 2, 10].map((index) => ({
      providerUid: uidOf(index),
      useUnknown: isSchedulerAway,
      state: index === 1 ? ProviderLifeState.AVAILABLE : ProviderLifeState.IN_USE,
    }));
    router.service(ProviderStateService, {
      listProviderStates: () => ({ providerStates: states }),
      getProviderState: () => ({ providerState: states[2] ?? {} }),
    });
    router.service(ClaimService, {
      listAllocations: isSchedulerAway
        ? away
        : (request) => {
            asked.push(request);
            const given = allocation(1, 'given-back', tomorrow);
            const finishTime = timestampFromDate(new Date('2025-12-31T00:00:00Z'));
            const booked = {
              ...allocation(10, 'later', undefined),
              acquireTime: timestampFromDate(tomorrow),
            };
            return {
              allocations: [
                { ...given, allocation: { ...given.allocation, finishTime } },
                allocation(2, 'bench-1', tomorrow),
                allocation(10, 'web', undefined),
                ...(request.until === undefined ? [booked] : []),
                allocation(10, 'db', tomorrow),
              ],
            };
          },
    });
  };
  return { asked, routes };
};

const TZ = process.env.TZ ?? '';
test.before(() => {
  process.env.TZ = 'UTC';
});
test.after(() => {
  process.env.TZ = TZ;
});

test('a list says where providers stand and who holds them until when', async (t) => {
  const { asked, routes } = rack();
  const { stdout } = await callCommand(list, ['--group', 'rack1'], routes);
  t.regex(stdout, /^NAME +TYPE +CPUS +MEMORY +DISK +STATE +HELD BY +UNTIL +GROUPS +PROBLEM$/m);
  t.regex(stdout, /^r1u1 .* available +- +- +rack1/m);
  t.regex(stdout, /^r1u2 .* in use +red\/bench-1 +2026-01-02 00:00:00 UTC +rack1/m);
  t.regex(stdout, /^r1u10 .* in use +2 claims +for ever +rack1/m);
  t.like(asked[0], { parent: 'partitions/lab/projects/-', providerGroup: 'rack1' });
});

const names = async (argv: readonly string[]) => {
  const { stdout } = await callCommand(list, [...argv, '-q'], rack().routes);
  return stdout
    .trim()
    .split('\n')
    .map((name) => name.slice(name.lastIndexOf('/') + 1));
};

test('a list is narrowed and sorted by what it shows', async (t) => {
  t.deepEqual(await names(['--sort', 'memory']), ['r1u2', 'r1u1', 'r1u10']);
  t.deepEqual(await names(['--sort', 'name', '--reverse']), ['r1u10', 'r1u2', 'r1u1']);
  t.deepEqual(await names(['--filter', 'state=IN USE']), ['r1u2', 'r1u10']);
  t.deepEqual(await names(['--filter', 'held-by=red/*']), ['r1u2']);
  t.deepEqual(await names(['--filter', 'held-by=-']), ['r1u1']);
  t.deepEqual(await names(['--filter', 'held-by!=', '--filter', 'name=*1*0']), ['r1u10']);
  const told = await callCommand(list, ['--filter', 'state=lost'], rack().routes);
  t.is(told.stderr, 'none of 3 match\n');
});

test('what a list cannot be narrowed by is said, and what it can', async (t) => {
  const wrong = await callCommand(list, ['--filter', 'stat=x'], rack().routes);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /no column "stat"\n +one of name, type, .*held-by/);
  const noText = await callCommand(list, ['--filter', 'state'], rack().routes);
  t.regex(noText.stderr, /"state" is not COLUMN=TEXT\n +for example/);
  t.is((await callCommand(list, ['--sort', 'age'], rack().routes)).code, 2);
});

test('programs that only read the list cost nobody else a call', async (t) => {
  const { asked, routes } = rack();
  const { stdout } = await callCommand(list, ['--json'], routes);
  t.is(JSON.parse(stdout).length, 3);
  t.is(asked.length, 0);
});

test('a scheduler that is away hides nothing but who holds what', async (t) => {
  const { code, stdout, stderr } = await callCommand(list, [], rack(true).routes);
  t.is(code, 0);
  t.regex(stdout, /^r1u2 .* in use +- +-/m);
  t.regex(stdout, /^r1u1 .* available or in use +- +-/m);
  t.regex(stderr, /who holds them is not known: the scheduler is away/);
});

test('a provider says where it stands and who holds it until when', async (t) => {
  const { stdout } = await callCommand(get, ['r1u10'], rack().routes);
  t.regex(stdout, /^state +in use$/m);
  t.regex(stdout, /^held by +red\/web, for ever$/m);
  t.regex(stdout, /^booked by +red\/later, from 2026-01-02 00:00:00 UTC, for ever$/m);
  t.regex(stdout, /^held by +red\/db, until 2026-01-02 00:00:00 UTC$/m);
});
