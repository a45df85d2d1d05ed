/** Orders at a Redfish controller, by an agent that is killed wherever it hurts. */
import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import test, { type ExecutionContext } from 'ava';
import type { BmcOrderSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { BootDeviceType, PowerChange } from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { type AgentControl, startAgentControl } from '../../support/agent-control.ts';
import { type BmcAgent, bmcAgent } from '../../support/bmc-agent.ts';
import { eventually } from '../../support/eventually.ts';
import { type RedfishLab, redfishLab, USER } from '../../support/redfish-lab.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const SECRET = 'projects/site/secrets/bmc';
const LIMIT = { limitMs: 180_000 };

type Site = {
  readonly control: AgentControl;
  readonly agent: BmcAgent;
  readonly lab: RedfishLab;
  /** Places an order, and answers its id. */
  readonly order: (work: Work, id?: string) => string;
  readonly result: (id: string, count?: number) => Promise<AgentControl['results'][number]>;
};
type Work = NonNullable<MessageInitShape<typeof BmcOrderSchema>['work']>;

type Killer = { at: number; heard: number; kill: () => void };

const site = async (t: ExecutionContext): Promise<Site & { killer: Killer }> => {
  const dir = temporaryDir();
  const control = await startAgentControl();
  const killer: Killer = { at: 0, heard: 0, kill: () => undefined };
  const lab = await redfishLab(t, {
    onRequest: () => {
      killer.heard += 1;
      if (killer.heard === killer.at) killer.kill();
    },
  });
  control.secrets.set(SECRET, { generation: 1n, data: { ...USER } });
  await control.enrol(dir.path, randomUUID());
  const agent = bmcAgent(dir.path, control);
  t.teardown(async () => {
    if (!t.passed) t.log(agent.output().slice(-4_000));
    await agent[Symbol.asyncDispose]();
    await control[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });
  agent.start();
  await eventually(() => control.hellos.length > 0, LIMIT);
  const { address, certificateSha256 } = lab.address;
  const order = (work: Work, id: string = randomUUID()): string => {
    const controller = { address, secret: SECRET, certificateSha256 };
    const value = { provider: 'partitions/lab/providers/r1u1', controller, work };
    const validFor = { seconds: 60n, nanos: 0 };
    const timeout = { seconds: 40n, nanos: 0 };
    control.order({ id, validFor, order: { case: 'bmc', value: { ...value, timeout } } });
    return id;
  };
  const result: Site['result'] = (id, count = 1) =>
    eventually(() => control.results.filter((one) => one.id === id)[count - 1], LIMIT);
  return { control, agent, lab, order, result, killer };
};

const on: Work = { case: 'changePower', value: { change: PowerChange.ON } };

test('orders read and change a server, and answer what it is then', async (t) => {
  const { control, lab, order, result } = await site(t);
  const read = await result(order({ case: 'readPower', value: {} }));
  t.deepEqual(read.bmc?.content, { case: 'power', value: PowerState.OFF });
  t.is(read.bmc?.certificateSha256, lab.address.certificateSha256);
  const changed = await result(order(on));
  t.deepEqual(changed.bmc?.content, { case: 'power', value: PowerState.ON });
  t.is(lab.server.power(), 'on');
  const device = { type: BootDeviceType.NETWORK };
  const boot = await result(order({ case: 'setBootDevice', value: { device } }));
  t.is(boot.bmc?.content.case === 'bootDevice' && boot.bmc.content.value.type, device.type);
  const facts = await result(order({ case: 'readFacts', value: {} }));
  t.is(
    facts.bmc?.content.case === 'facts' && facts.bmc.content.value.serialNumber,
    lab.server.hardware.serialNumber,
  );
  const probed = await result(order({ case: 'probe', value: {} }));
  const report = probed.bmc?.content.case === 'probe' ? probed.bmc.content.value : undefined;
  t.is(report?.aspects.length, 11);
  t.is(report?.aspects.find(({ aspect }) => aspect === 'power')?.reading, 'on');
  const text = JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? 0 : value));
  t.notRegex(text, /127\.0\.0\.1|a-long-secret/, 'a report can be shared');
  t.true(control.results.every(({ succeeded }) => succeeded));
});

test('a repeated id is done once, and answered as before', async (t) => {
  const { lab, order, result } = await site(t);
  const id = order(on);
  const first = await result(id);
  const heard = lab.heard.length;
  order(on, id);
  t.deepEqual(await result(id, 2), first);
  t.is(lab.heard.length, heard);
});

test('what a controller does not do, or garbles, is told with a cure', async (t) => {
  const { lab, order, result } = await site(t);
  lab.setFault('lost-write');
  const failed = await result(order(on));
  t.false(failed.succeeded);
  t.is(failed.reason, 'BMC_NOT_APPLIED');
  t.regex(failed.message, /power is off.*reset the BMC$/);
  lab.setFault('html');
  const garbled = await result(order({ case: 'readPower', value: {} }));
  t.is(garbled.reason, 'BMC_PROTOCOL');
  t.regex(garbled.message, /runm provider probe/);
});

test('a changed certificate is refused, and no password is sent', async (t) => {
  const { control, lab } = await site(t);
  const controller = { address: lab.address.address, secret: SECRET };
  const id = randomUUID();
  control.order({
    id,
    validFor: { seconds: 60n, nanos: 0 },
    order: {
      case: 'bmc',
      value: {
        provider: 'r1u1',
        controller: { ...controller, certificateSha256: 'ab'.repeat(32) },
        work: { case: 'readPower', value: {} },
      },
    },
  });
  const failed = await eventually(() => control.results.find((one) => one.id === id), LIMIT);
  t.is(failed.reason, 'BMC_CERTIFICATE');
  t.is(lab.heard.length, 0);
});

/** Kills the agent at its nth request, until an order needs fewer than n. */
const killedAtEachStep = async (
  t: ExecutionContext,
  work: Work,
  check: (site: Site, killedAt: number, outcome: AgentControl['results'][number]) => void,
): Promise<number> => {
  const all = await site(t);
  const { agent, killer, lab, order, result } = all;
  for (let at = 1; ; at += 1) {
    await lab.server.changePower('off');
    await eventually(() => lab.server.power() === 'off');
    let died: Promise<void> | undefined;
    Object.assign(killer, { at, heard: 0 });
    killer.kill = () => {
      died = agent.kill();
    };
    const id = order(work);
    const before = all.control.hellos.length;
    await eventually(
      () => died !== undefined || all.control.results.some((r) => r.id === id),
      LIMIT,
    );
    if (died === undefined) return at - 1;
    await died;
    agent.start();
    await eventually(() => all.control.hellos.length > before, LIMIT);
    check(all, at, await result(id));
  }
};

test('an agent killed at each step of reading reads again', async (t) => {
  const steps = await killedAtEachStep(t, { case: 'readPower', value: {} }, (_, at, outcome) => {
    t.true(outcome.succeeded, `killed at ${at}: ${outcome.message}`);
    t.deepEqual(outcome.bmc?.content, { case: 'power', value: PowerState.OFF });
  });
  t.true(steps >= 1, `${steps} steps`);
});

test('an agent killed at each step of a change tells what it sees, and changes no more', async (t) => {
  const steps = await killedAtEachStep(t, on, ({ lab }, at, outcome) => {
    const text = `killed at ${at}: ${outcome.reason} ${outcome.message}`;
    t.false(outcome.succeeded, text);
    t.is(outcome.reason, 'OUTCOME_UNKNOWN', text);
    const isOn = /the power is now "(on|turning_on)"/.test(outcome.message);
    t.is(isOn, lab.server.power() !== 'off', text);
  });
  t.true(steps >= 2, `${steps} steps`);
});

test('a password is rotated, also by an agent killed at each step', async (t) => {
  const all = await site(t);
  const { control, agent, killer, lab, order, result } = all;
  let now: string = USER.password;
  let kills = 0;
  for (let at = 1; at < 60; at += 1) {
    const next = `another-secret-${at}`;
    const generation = BigInt(at + 1);
    const data = { user: USER.user, password: now };
    control.secrets.set(SECRET, { generation, data, stagedData: { password: next } });
    let died: Promise<void> | undefined;
    Object.assign(killer, { at, heard: 0 });
    killer.kill = () => {
      died = agent.kill();
    };
    const before = control.hellos.length;
    const id = order({ case: 'rotate', value: {} });
    await eventually(() => died !== undefined || control.results.some((r) => r.id === id), LIMIT);
    if (died !== undefined) {
      kills += 1;
      await died;
      agent.start();
      await eventually(() => control.hellos.length > before, LIMIT);
    }
    const outcome = await result(id);
    t.true(outcome.succeeded, `killed at ${at}: ${outcome.reason} ${outcome.message}`);
    t.is(lab.server.accounts().find(({ user }) => user === USER.user)?.password, next);
    now = next;
    if (died === undefined) break;
  }
  t.true(kills >= 5, `${kills} kills`);
  t.notRegex(agent.output(), /another-secret/);
});
