/** The serial console of a server, through the agent's channel: power by Redfish, bytes by IPMI. */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import test, { type ExecutionContext } from 'ava';
import { startIpmiFront } from '../../../deploy/lab/ipmi/ipmi-front.ts';
import { startRedfishFront } from '../../../deploy/lab/redfish/front.ts';
import type { LabServer } from '../../../deploy/lab/server-port.ts';
import { ServerSchema, WantedPower } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { createIpmiDriver } from '../../../services/agent/drivers/ipmi/driver.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { type AgentControl, startAgentControl } from '../../support/agent-control.ts';
import { type BmcAgent, bmcAgent } from '../../support/bmc-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { quickLabServer, USER } from '../../support/redfish-lab.ts';
import { silentLog } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const SECRET = 'projects/site/secrets/bmc';
const PROVIDER = 'partitions/lab/providers/r1u1';
const LIMIT = { limitMs: 180_000 };

type Channel = NonNullable<ReturnType<AgentControl['channel']>>;
type Opening = { readonly readOnly?: boolean; readonly by?: string; readonly reason?: string };

type Site = {
  readonly control: AgentControl;
  readonly agent: BmcAgent;
  readonly server: LabServer;
  readonly uid: string;
  readonly stateDir: string;
  readonly ipmiAddress: string;
  readonly want: (access: boolean) => void;
  readonly attach: (opening?: Opening) => Promise<Channel>;
  readonly log: () => Promise<string>;
};

/** One server with both protocols in front of it. */
const startFronts = async (t: ExecutionContext, directory: string) => {
  const server = quickLabServer();
  const options = { server, faults: { current: () => undefined }, host: '127.0.0.1', port: 0 };
  const deps = { directory, clock, random, log: silentLog };
  const redfish = await startRedfishFront({ ...options, ...deps });
  const ipmi = await startIpmiFront({ ...options, ...deps });
  t.teardown(async () => {
    await redfish.close();
    await ipmi.close();
    await server.close();
  });
  const controller = {
    address: `https://127.0.0.1:${redfish.port}`,
    ipmiAddress: `127.0.0.1:${ipmi.port}`,
    secret: SECRET,
  };
  return { server, controller };
};

const site = async (t: ExecutionContext): Promise<Site> => {
  const dir = temporaryDir();
  const stateDir = join(dir.path, 'agent');
  const { server, controller } = await startFronts(t, dir.path);
  const control = await startAgentControl();
  control.secrets.set(SECRET, { generation: 1n, data: { ...USER } });
  await control.enrol(stateDir, randomUUID());
  const agent = bmcAgent(stateDir, control);
  t.teardown(async () => {
    if (!t.passed) t.log(agent.output().slice(-4_000));
    await agent[Symbol.asyncDispose]();
    await control[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });
  agent.start();
  await eventually(() => control.hellos.length > 0, LIMIT);
  const uid = randomUUID();
  let generation = 0n;
  const open = async (channel: object): Promise<Channel> => {
    const channelId = randomUUID();
    const value = { channelId, targetUid: uid, replayBytes: 65_536, ...channel };
    const validFor = { seconds: 30n, nanos: 0 };
    control.order({ id: randomUUID(), validFor, order: { case: 'openChannel', value } });
    return eventually(() => control.channel(channelId), LIMIT);
  };
  return {
    ...{ control, agent, server, uid, stateDir, ipmiAddress: controller.ipmiAddress },
    want: (access) => {
      generation += 1n;
      const wanted = { power: WantedPower.ON, bootGeneration: 1n, access };
      const value = { name: 'm1', provider: PROVIDER, controller, ...wanted };
      const content = { case: 'server' as const, value: create(ServerSchema, value) };
      control.assign({ uid, generation, content });
    },
    attach: async (opening = {}) => {
      const channel = await open({ by: 'users/ada', ...opening });
      await eventually(() => kinds(channel).includes('opened'), LIMIT);
      return channel;
    },
    log: async () => {
      const channel = await open({ logOnly: true, readOnly: true });
      await eventually(() => kinds(channel).includes('closed'), LIMIT);
      return channel.text();
    },
  };
};

const kinds = ({ received }: Channel): string[] =>
  received.flatMap(({ content }) => (content.case === undefined ? [] : [content.case]));

const said = ({ received }: Channel, kind: 'closed' | 'takenOver'): string | undefined =>
  received.flatMap(({ content }) => (content.case === kind ? [content.value] : []))[0];

const shows = (channel: Channel, text: string): Promise<boolean> =>
  eventually(() => channel.text().includes(text), { ...LIMIT, message: `"${text}"` });

test('a console has one writer and many readers, and is captured', async (t) => {
  const { want, attach, log } = await site(t);
  want(true);
  const ada = await attach();
  await shows(ada, 'login');
  const reader = await attach({ readOnly: true, by: 'users/bob' });
  ada.type('echo from-ada\r');
  await shows(reader, 'from-ada');
  reader.type('echo from-reader\r');
  const carl = await attach({ by: 'users/carl', reason: 'it is on fire' });
  await eventually(() => said(ada, 'takenOver') === 'users/carl: it is on fire', LIMIT);
  carl.type('echo from-carl\r');
  ada.type('echo too-late\r');
  await Promise.all([ada, reader, carl].map((channel) => shows(channel, 'from-carl')));
  for (const channel of [ada, reader, carl]) channel.close();
  const text = await log();
  t.true(text.includes('from-ada') && text.includes('from-carl'));
  t.false(text.includes('too-late') || text.includes('from-reader'));
});

test('an agent that was killed opens the console anew, and has what it captured', async (t) => {
  const { agent, control, want, attach, log } = await site(t);
  want(true);
  const before = await attach();
  await shows(before, 'login');
  before.type('echo before-the-kill\r');
  await shows(before, 'before-the-kill');
  const hellos = control.hellos.length;
  await agent.kill();
  agent.start();
  await eventually(() => control.hellos.length > hellos, LIMIT);
  const after = await attach();
  await shows(after, 'before-the-kill');
  after.type('echo after-the-kill\r');
  await shows(after, 'after-the-kill');
  t.true((await log()).includes('before-the-kill'));
});

/** Get Payload Activation Status (IPMI 2.0 §24.4) of SOL: which instances are active. */
const activeConsoles = async (address: string): Promise<string> => {
  const signal = AbortSignal.timeout(LIMIT.limitMs);
  const driver = createIpmiDriver({ clock, random });
  const bmc = await driver.open({ address, provider: 'r1u1', certificateSha256: '' }, USER, signal);
  const { raw } = bmc.offers;
  const answer = raw.kind === 'offered' ? await raw.aspect.send('06 4a 01', signal) : '';
  await bmc.close(signal);
  return answer.trim().split(/\s+/).slice(-2).join(' ');
};

test('an agent that is stopped leaves no console open at the controller', async (t) => {
  const { agent, server, ipmiAddress, want, attach } = await site(t);
  t.is(await activeConsoles(ipmiAddress), '00 00');
  want(true);
  await shows(await attach(), 'login');
  t.is(await activeConsoles(ipmiAddress), '01 00');
  t.is(await agent.stop(), 0);
  t.is(await activeConsoles(ipmiAddress), '00 00');
  t.is(server.power(), 'on');
});

test('who loses access loses the console at once, and opens no other', async (t) => {
  const { control, uid, want, attach } = await site(t);
  want(true);
  const ada = await attach();
  await shows(ada, 'login');
  want(false);
  await eventually(() => said(ada, 'closed') === 'the access to this server ended', LIMIT);
  const channelId = randomUUID();
  control.order({
    id: randomUUID(),
    validFor: { seconds: 30n, nanos: 0 },
    order: { case: 'openChannel', value: { channelId, targetUid: uid, by: 'users/ada' } },
  });
  const refused = await eventually(() => control.channel(channelId), LIMIT);
  await eventually(() => /no access/.test(said(refused, 'closed') ?? ''), LIMIT);
  t.pass();
});

test('what a machine’s console said goes with the machine', async (t) => {
  const { control, stateDir, uid, want, attach } = await site(t);
  want(true);
  await shows(await attach(), 'login');
  t.true(existsSync(join(stateDir, 'consoles', `${uid}.log`)));
  control.assign({ uid, generation: 99n, content: { case: 'absent', value: {} } });
  await eventually(() => control.seen(uid)?.gone, LIMIT);
  await eventually(() => readdirSync(join(stateDir, 'consoles')).length === 0, LIMIT);
  t.pass();
});
