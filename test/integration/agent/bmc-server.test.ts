/** Servers that machines are on, kept by an agent that is killed wherever it hurts. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import test, { type ExecutionContext } from 'ava';
import { ServerSchema, WantedPower } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { BootDeviceType } from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { type AgentControl, startAgentControl } from '../../support/agent-control.ts';
import { type BmcAgent, bmcAgent } from '../../support/bmc-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { type RedfishLab, redfishLab, USER } from '../../support/redfish-lab.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const SECRET = 'projects/site/secrets/bmc';
const LIMIT = { limitMs: 180_000 };

type Server = Omit<MessageInitShape<typeof ServerSchema>, '$typeName'>;

type Site = {
  readonly control: AgentControl;
  readonly agent: BmcAgent;
  readonly lab: RedfishLab;
  readonly uid: string;
  /** Calls for each request that the controller hears; 0 = never. */
  readonly killAt: (request: number) => { readonly died: () => Promise<void> | undefined };
  readonly want: (server: Server) => void;
  /** Boots so far, as the server itself counts them. */
  readonly boots: () => number;
  /** Servers in the agent's journal. */
  readonly remembered: () => number;
};

const site = async (t: ExecutionContext, stateDir?: string): Promise<Site> => {
  const dir = temporaryDir();
  const control = await startAgentControl();
  let heard: () => void = () => undefined;
  const lab = await redfishLab(t, { onRequest: () => heard() });
  control.secrets.set(SECRET, { generation: 1n, data: { ...USER } });
  const directory = stateDir ?? dir.path;
  await control.enrol(directory, randomUUID());
  const agent = bmcAgent(directory, control);
  t.teardown(async () => {
    if (!t.passed) t.log(agent.output().slice(-4_000));
    await agent[Symbol.asyncDispose]();
    await control[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });
  const uid = randomUUID();
  let generation = 0n;
  let wasOn = false;
  let boots = 0;
  lab.server.onChange(() => {
    const isOn = lab.server.power() === 'on' || lab.server.power() === 'turning_on';
    if (isOn && !wasOn) boots += 1;
    wasOn = isOn;
  });
  return {
    ...{ control, agent, lab, uid },
    boots: () => boots,
    remembered: () => {
      using journal = new DatabaseSync(join(directory, 'journal.sqlite'), { readOnly: true });
      return Number(journal.prepare('SELECT count(*) AS n FROM assignment').get()?.n);
    },
    killAt: (request) => {
      let count = 0;
      let died: Promise<void> | undefined;
      heard = () => {
        count += 1;
        if (count === request) died = agent.kill();
      };
      return { died: () => died };
    },
    want: (server) => {
      generation += 1n;
      const { address, certificateSha256 } = lab.address;
      const controller = { address, secret: SECRET, certificateSha256 };
      const value = { name: 'm1', provider: 'partitions/lab/providers/r1u1', controller };
      control.assign({
        uid,
        generation,
        content: { case: 'server', value: create(ServerSchema, { ...value, ...server }) },
      });
    },
  };
};

const ON: Server = { power: WantedPower.ON, bootGeneration: 1n };
const OFF: Server = { power: WantedPower.OFF, bootGeneration: 1n, forceAfter: { seconds: 0n } };

const seen = (
  { control, uid }: Site,
  wanted: { readonly power: PowerState; readonly boot: bigint },
) =>
  eventually(() => {
    const found = control.seen(uid);
    const isIt = found?.power === wanted.power && found.bootGeneration === wanted.boot;
    return isIt ? found : undefined;
  }, LIMIT);

test('a server boots once for each number, from the device that is asked for', async (t) => {
  const all = await site(t);
  all.agent.start();
  const bootDevice = { type: BootDeviceType.NETWORK };
  all.want({ ...ON, bootDevice });
  const first = await seen(all, { power: PowerState.ON, boot: 1n });
  await eventually(() => all.control.seen(all.uid)?.ready, LIMIT);
  t.is(first.boot?.bootCount, 1n);
  t.is(all.boots(), 1);
  all.want({ ...ON, bootDevice, bootGeneration: 2n });
  const second = await seen(all, { power: PowerState.ON, boot: 2n });
  t.is(second.boot?.bootCount, 2n);
  t.is(all.boots(), 2);
  all.want({ ...OFF, bootGeneration: 2n });
  await seen(all, { power: PowerState.OFF, boot: 2n });
  t.is(all.lab.server.power(), 'off');
});

test('a server that is switched off from inside stays off until the number grows', async (t) => {
  const all = await site(t);
  all.agent.start();
  all.want(ON);
  await seen(all, { power: PowerState.ON, boot: 1n });
  all.lab.server.changePower('off');
  const off = await eventually(() => {
    const found = all.control.seen(all.uid);
    return found?.guestOff ? found : undefined;
  }, LIMIT);
  t.is(off.power, PowerState.OFF);
  t.is(all.boots(), 1);
  all.want({ ...ON, bootGeneration: 2n });
  await seen(all, { power: PowerState.ON, boot: 2n });
  t.is(all.boots(), 2);
});

test('a server that comes from another agent is not booted anew', async (t) => {
  const all = await site(t);
  all.lab.server.changePower('on');
  await eventually(() => all.lab.server.power() === 'on');
  all.agent.start();
  all.want({ ...ON, bootGeneration: 4n, bootedGeneration: 4n });
  await seen(all, { power: PowerState.ON, boot: 4n });
  t.is(all.boots(), 1);
  all.control.assign({ uid: all.uid, generation: 9n, content: { case: 'moved', value: {} } });
  await eventually(() => all.remembered() === 0, LIMIT);
  t.is(all.lab.server.power(), 'on', 'who has it no more leaves it as it is');
});

test('an agent that is cut off changes nothing until it hears again', async (t) => {
  const all = await site(t);
  all.agent.start();
  all.want(ON);
  await seen(all, { power: PowerState.ON, boot: 1n });
  await all.agent.kill();
  // As another agent of the pool would leave it, of which this one knows nothing.
  all.control.reachable(false);
  all.want({ ...ON, bootGeneration: 2n });
  all.agent.start();
  const heard = all.lab.heard.length;
  await eventually(() => all.lab.heard.length > heard + 2, LIMIT);
  t.is(all.boots(), 1);
  all.control.reachable(true);
  await seen(all, { power: PowerState.ON, boot: 2n });
  t.is(all.boots(), 2);
});

test('what is to be absent is switched off, told gone and forgotten', async (t) => {
  const all = await site(t);
  all.agent.start();
  all.want(ON);
  await seen(all, { power: PowerState.ON, boot: 1n });
  all.control.assign({ uid: all.uid, generation: 9n, content: { case: 'absent', value: {} } });
  await eventually(() => all.control.seen(all.uid)?.gone, LIMIT);
  t.is(all.lab.server.power(), 'off');
  await eventually(() => all.remembered() === 0, LIMIT);
});

test('an agent that dies when it has told gone leaves the next machine its power', async (t) => {
  const all = await site(t);
  all.agent.start();
  all.want(ON);
  await seen(all, { power: PowerState.ON, boot: 1n });
  all.control.assign({ uid: all.uid, generation: 9n, content: { case: 'absent', value: {} } });
  await eventually(() => all.control.seen(all.uid)?.gone, LIMIT);
  await all.agent.kill();
  all.lab.server.changePower('on');
  await eventually(() => all.lab.server.power() === 'on');
  all.agent.start();
  await eventually(() => all.remembered() === 0, LIMIT);
  t.is(all.lab.server.power(), 'on');
  t.is(all.boots(), 2);
});

test('a server whose controller is gone is never told gone, and says why', async (t) => {
  const all = await site(t);
  all.agent.start();
  all.want(ON);
  await seen(all, { power: PowerState.ON, boot: 1n });
  all.lab.setFault('hang');
  all.control.assign({ uid: all.uid, generation: 9n, content: { case: 'absent', value: {} } });
  const problem = await eventually(() => all.control.seen(all.uid)?.problem, LIMIT);
  t.regex(problem.reason, /^BMC_(TIMEOUT|UNREACHABLE)$/);
  t.not(all.control.seen(all.uid)?.gone, true);
  all.lab.setFault(undefined);
  await eventually(() => all.control.seen(all.uid)?.gone, LIMIT);
  t.is(all.lab.server.power(), 'off');
});

test('an agent killed at each step of a boot boots the server exactly once', async (t) => {
  const all = await site(t);
  let number = 0n;
  let kills = 0;
  for (let at = 1; at < 80; at += 1) {
    number += 1n;
    // Every second boot finds the server on.
    if (at % 2 === 1) all.lab.server.changePower('off');
    const booted = all.boots();
    const { died } = all.killAt(at);
    if (!all.agent.isRunning()) all.agent.start();
    const bootDevice = { type: BootDeviceType.DISK };
    all.want({ ...ON, bootGeneration: number, bootDevice });
    const done = () => all.control.seen(all.uid)?.bootGeneration === number;
    await eventually(() => died() !== undefined || done(), LIMIT);
    if (died() !== undefined) {
      kills += 1;
      await died();
      all.agent.start();
    }
    await seen(all, { power: PowerState.ON, boot: number });
    t.is(all.boots(), booted + 1, `killed at ${at}`);
    if (died() === undefined && at % 2 === 0) break;
  }
  t.true(kills >= 4, `${kills} kills`);
});
