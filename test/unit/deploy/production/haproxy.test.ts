import test from 'ava';
import { haproxyConfiguration } from '../../../../deploy/production/haproxy.ts';
import { makePlaces } from '../../../../deploy/production/places.ts';
import { makePlan } from '../../../../deploy/production/plan.ts';
import { PUBLIC_SERVICES } from '../../../../services/contract.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const AREA_OWNERS: Readonly<Record<string, string>> = {
  identity: 'metadata',
  inventory: 'inventory',
  scheduler: 'scheduler',
  machine: 'machine',
  agent: 'machine',
};

test('the proxy routes every service of the contract to the replicas that run it', async (t) => {
  using dir = temporaryDir();
  const plan = await makePlan(`${dir.path}/ports.json`, { usual: false });
  const text = haproxyConfiguration(plan, makePlaces(`${dir.path}/site`));
  const routes = [...text.matchAll(/use_backend (\w+) if \{ path_beg (\S+) \}/g)];
  for (const { typeName } of PUBLIC_SERVICES) {
    const owners = routes.filter(([, , prefix = '']) => `/${typeName}/`.startsWith(prefix));
    t.deepEqual(
      owners.map(([, backend]) => backend),
      [AREA_OWNERS[typeName.split('.')[1] ?? '']],
      typeName,
    );
  }
  for (const { name, service, peoplePort } of plan.members) {
    const block = text.split(`\nbackend ${service}\n`)[1]?.split('\nbackend ')[0] ?? '';
    t.true(block.includes(`server ${name} 127.0.0.1:${peoplePort}`), name);
  }
});

test('ports are remembered, all differ, and a taken one is replaced', async (t) => {
  using dir = temporaryDir();
  const file = `${dir.path}/ports.json`;
  const first = await makePlan(file, { usual: false });
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((done) => server.listen(first.etcdPort, '127.0.0.1', done));
  const second = await makePlan(file, { usual: false });
  server.close();
  t.not(second.etcdPort, first.etcdPort);
  t.deepEqual({ ...second, etcdPort: 0 }, { ...first, etcdPort: 0 });
  const ports = second.members.flatMap(({ peoplePort, mtlsPort }) => [peoplePort, mtlsPort]);
  t.is(new Set(ports).size, 12);
});
