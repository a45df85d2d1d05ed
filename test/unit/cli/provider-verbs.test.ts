import type { ConnectRouter } from '@connectrpc/connect';
import test from 'ava';
import { BmcType, DiskType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type BatchDeleteProvidersRequest,
  type DeleteProviderRequest,
  ProviderService,
  type ReshapeProviderRequest,
  type UpdateProviderRequest,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  ClaimService,
  type ListAllocationsRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { allocations } from '../../../services/cli/commands/claim/allocations.ts';
import { get } from '../../../services/cli/commands/provider/get.ts';
import { list } from '../../../services/cli/commands/provider/list.ts';
import { remove } from '../../../services/cli/commands/provider-delete.ts';
import { reshape } from '../../../services/cli/commands/provider-reshape.ts';
import { update } from '../../../services/cli/commands/provider-update.ts';
import { callCommand } from './call-command.ts';

const UID = '01890000-0000-7000-8000-00000000000a';
const LAB = 'partitions/lab';

const recording = () => {
  const seen: {
    reshaped: ReshapeProviderRequest[];
    deleted: DeleteProviderRequest[];
    batches: BatchDeleteProvidersRequest[];
    updated: UpdateProviderRequest[];
    listed: ListAllocationsRequest[];
  } = { reshaped: [], deleted: [], batches: [], updated: [], listed: [] };
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, {
      getProvider: ({ name }) => ({ provider: { name, uid: UID, etag: 'e1' } }),
      reshapeProvider: (request) => {
        seen.reshaped.push(request);
        return {
          providers: request.providers.map((one) => ({ name: `${LAB}/providers/${one.provider}` })),
        };
      },
      deleteProvider: (request) => {
        seen.deleted.push(request);
        return {};
      },
      batchDeleteProviders: (request) => {
        seen.batches.push(request);
        return {};
      },
      updateProvider: (request) => {
        seen.updated.push(request);
        return { provider: { name: request.provider?.name ?? '' } };
      },
    });
    router.service(ClaimService, {
      getClaim: ({ name }) => ({ claim: { name, uid: UID } }),
      listAllocations: (request) => {
        seen.listed.push(request);
        const isFirst = request.pageToken === '';
        const allocation = {
          provider: `${LAB}/providers/${isFirst ? 'r1' : 'r2'}`,
          providerUid: UID,
          resourceType: 'runm.memory',
          amount: 2n ** 30n,
        };
        const claim = `${LAB}/projects/red/claims/web`;
        return { allocations: [{ claim, allocation }], nextPageToken: isFirst ? 'more' : '' };
      },
    });
  };
  return { seen, routes };
};

test('a reshape sets what providers offer and moves what a claim holds', async (t) => {
  const { seen, routes } = recording();
  const { code, stdout } = await callCommand(
    reshape,
    [
      ...['--set', 'r1:', '--set', 'numa0:runm.memory=64GiB', '--set', 'numa0:runm.cpu.shared=8'],
      ...['--move', 'r1:numa0:runm.memory', '--claim', 'web'],
    ],
    routes,
  );
  t.is(code, 0);
  t.regex(stdout, /numa0/);
  const [request] = seen.reshaped;
  t.is(request?.parent, LAB);
  t.deepEqual(
    request?.providers.map(({ provider, inventories }) => [
      provider,
      inventories.map((one) => `${one.resourceType}=${one.total}`),
    ]),
    [
      ['r1', []],
      ['numa0', ['runm.memory=68719476736', 'runm.cpu.shared=8']],
    ],
  );
  t.like(request?.moves[0], {
    fromProvider: 'r1',
    toProvider: 'numa0',
    resourceType: 'runm.memory',
    claimUid: UID,
  });
});

test('a reshape that says nothing, or not how it moves, is refused', async (t) => {
  for (const argv of [[], ['--set', 'runm.memory=1'], ['--set', 'r1:', '--move', 'r1:numa0']]) {
    const { seen, routes } = recording();
    const { code, stderr } = await callCommand(reshape, argv, routes);
    t.is(code, 2, stderr);
    t.deepEqual(seen.reshaped, []);
  }
});

test('several providers are deleted by one call', async (t) => {
  const { seen, routes } = recording();
  const { stderr } = await callCommand(remove, ['r1', `${LAB}/providers/r2`, 'r1'], routes);
  t.deepEqual(
    seen.batches.map(({ providers }) => providers),
    [['r1', 'r2']],
  );
  t.regex(stderr, /deleted partitions\/lab\/providers\/r2/);
  await callCommand(remove, ['r3', '--allow-missing'], routes);
  t.like(seen.deleted[0], { name: `${LAB}/providers/r3`, allowMissing: true });
});

test('none empties a list of a provider, and nothing can stand beside it', async (t) => {
  const { seen, routes } = recording();
  await callCommand(update, ['r1', '--group', 'none', '--capability', 'a'], routes);
  t.deepEqual(seen.updated[0]?.updateMask?.paths, ['spec.capabilities', 'spec.groups']);
  t.deepEqual(seen.updated[0]?.provider?.spec?.groups, []);
  const both = await callCommand(update, ['r1', '--group', 'none', '--group', 'b'], routes);
  t.is(both.code, 2);
  t.is(seen.updated.length, 1);
});

test('allocations are listed page by page, of one provider and a window', async (t) => {
  const { seen, routes } = recording();
  const { stdout } = await callCommand(
    allocations,
    ['--provider', 'r1', '--from', '2026-01-02', '--all-projects'],
    routes,
  );
  t.is(seen.listed.length, 2);
  t.like(seen.listed[0], { parent: `${LAB}/projects/-`, providerUid: UID });
  t.regex(stdout, /r1 +runm\.memory +1 GiB +red +web/);
  t.regex(stdout, /r2 +runm\.memory/);
});

test('a provider shows where it stands, how its BMC is reached and what was read of it', async (t) => {
  const provider = {
    name: `${LAB}/providers/r1`,
    spec: {
      type: ProviderType.BARE_METAL,
      location: { rack: 'rack1', position: 7, height: 2, note: 'cold aisle' },
      bmc: {
        ...{ type: BmcType.REDFISH, address: 'https://10.0.0.7', secret: 'projects/ops/secrets/x' },
        certificateSha256: 'ab'.repeat(32),
      },
      nics: [{ label: 'eth0', mac: '52:54:00:00:00:01', primary: true }],
    },
    status: {
      observedFacts: {
        vendor: 'Acme',
        model: 'X1',
        cpuModel: 'Fast',
        cpuSockets: 2,
        cpuThreads: 64,
        memoryBytes: 2n ** 38n,
        disks: [{ label: 'Disk 0', sizeBytes: 2n ** 40n, type: DiskType.NVME }],
        nics: [{ label: 'NIC 1', mac: '52:54:00:00:00:01', speedBitsPerSecond: 25_000_000_000n }],
        firmware: Array.from({ length: 6 }, (_, at) => ({ component: `f${at}`, version: '1' })),
      },
    },
  };
  const routes = (router: ConnectRouter) => {
    router.service(ProviderService, {
      getProvider: () => ({ provider }),
      listProviders: () => ({ providers: [provider] }),
    });
  };
  const { stdout } = await callCommand(get, ['r1'], routes);
  for (const line of [
    /^stands +rack rack1, units 7 to 8, cold aisle$/m,
    /^bmc +redfish at https:\/\/10\.0\.0\.7, secret projects\/ops\/secrets\/x$/m,
    /^certificate +(?:ab){32}$/m,
    /^nic +eth0 {2}52:54:00:00:00:01 {2}boots$/m,
    /^hardware +Acme X1$/m,
    /^processors +2 × Fast, 64 threads$/m,
    /^memory +256 GiB$/m,
    /^disk +Disk 0 {2}1 TiB {2}nvme$/m,
    /^nic seen +NIC 1 {2}52:54:00:00:00:01 {2}25 Gbit\/s$/m,
    /^ +and 2 more; --json shows them$/m,
  ]) {
    t.regex(stdout, line);
  }
  t.regex((await callCommand(list, [], routes)).stdout, /r1 +bare metal +64 +256 GiB +1 TiB/);
});
