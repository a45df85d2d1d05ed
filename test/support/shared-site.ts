import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from './control-plane.ts';
import { startControlPlane } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { createRunm, ok, type Runm } from './runm.ts';
import { temporaryDir } from './temporary-dir.ts';

/** A site of six servers in two racks, its operator, and a person each of two projects. */
export type SharedSite = AsyncDisposable & {
  readonly operator: Runm['runm'];
  readonly ada: Runm['runm'];
  readonly bob: Runm['runm'];
  readonly dir: string;
};

export const RACKS = {
  rack1: ['metal-01', 'metal-02', 'metal-03'],
  rack2: ['metal-04', 'metal-05', 'metal-06'],
};

/** Sets it up as an operator would, by `runm` alone. */
export const startSharedSite = async (): Promise<SharedSite> => {
  const stack = new AsyncDisposableStack();
  const plane = stack.use(await startControlPlane());
  const dir = stack.use(temporaryDir());
  const as = (token: string, project: string): Runm['runm'] =>
    createRunm(environment(plane, { dir: dir.path, token, project })).runm;
  const operator = as(plane.token, 'default');
  await describePlaces(operator);
  const [adas, bobs] = await Promise.all([
    enrol(operator, 'ada', 'red'),
    enrol(operator, 'bob', 'blue'),
    recordServers(operator, 'rack1'),
    recordServers(operator, 'rack2'),
  ]);
  const [ada, bob] = [as(adas, 'red'), as(bobs, 'blue')];
  const all = ['probe', '--whole', '--count', '6', '--property', 'zone', '--dry-run'];
  await eventually(async () => (await ada('claim', 'create', ...all)).code === 0, {
    message: 'the six servers are open and their zones are known',
  });
  return { operator, ada, bob, dir: dir.path, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

type Caller = { readonly dir: string; readonly token: string; readonly project: string };

const environment = (plane: ControlPlane, { dir, token, project }: Caller) => {
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, plane.caPem);
  return {
    ...process.env,
    TZ: 'UTC',
    RUNM_CONFIG: join(dir, 'none.json'),
    RUNM_ENDPOINT: plane.endpoint,
    RUNM_CA_FILE: caFile,
    RUNM_TOKEN: token,
    RUNM_PROJECT: project,
  };
};

const describePlaces = async (runm: Runm['runm']): Promise<void> => {
  ok(await runm('partition', 'create', 'lab', '--description', 'The lab'));
  ok(await runm('partition', 'update', 'lab', '--turnaround', 'bare-metal=10m'));
  ok(await runm('group', 'create', 'row1', '--kind', 'row'));
  for (const rack of Object.keys(RACKS)) {
    ok(await runm('group', 'create', rack, '--kind', 'rack', '--parent', 'row1'));
  }
  ok(await runm('capability', 'create', 'cpu.avx512', '--description', 'Wide vectors'));
  ok(await runm('definition', 'set', 'runm.provider', 'zone:string:schedulable'));
};

const recordServers = async (runm: Runm['runm'], rack: keyof typeof RACKS): Promise<string> => {
  const offers = ['runm.machine.whole=1', 'runm.memory=64GiB', 'runm.cpu.shared=32'];
  const inventory = offers.flatMap((one) => ['--inventory', one]);
  const zone = ['--property', `zone=${rack === 'rack1' ? 'a' : 'b'}`];
  const traits = rack === 'rack1' ? ['--capability', 'cpu.avx512', ...zone] : zone;
  const servers = RACKS[rack];
  for (const server of servers) {
    ok(await runm('provider', 'create', server, '--type', 'bare-metal', ...inventory, ...traits));
    ok(await runm('provider', 'accept', server, '--reason', 'new'));
  }
  return ok(await runm('group', 'add', rack, ...servers));
};

/** A person with a project of their own; their token. */
const enrol = async (runm: Runm['runm'], user: string, project: string): Promise<string> => {
  ok(await runm('project', 'create', project));
  ok(await runm('user', 'create', user));
  ok(await runm('user', 'grant', user, 'member', '--in-project', project));
  return ok(await runm('token', 'create', `${user}-laptop`, '--user', user)).trim();
};
