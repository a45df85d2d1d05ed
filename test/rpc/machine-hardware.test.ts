/** Operators at the controllers of providers: through the agents of a pool, audited, shared. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import { AgentService } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import {
  type BiosAttributeSchema,
  BootDeviceType,
  PowerChange,
} from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import { PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import type { FakeAgent } from './machine-agent.ts';
import { uuid } from './machine-fixture.ts';
import {
  BMC_ADDRESS,
  BMC_AGENTS,
  type MetalSite,
  newServer,
  SECRET,
  startMetalSite,
} from './machine-metal-fixture.ts';
import { openStore } from './machine-sink-fixture.ts';

const R1 = 'partitions/lab/providers/r1u1';

test('an operator reads and changes what a controller offers', async (t) => {
  await using metal = await startMetalSite();
  const agent = await metal.connect(0);
  const { hardware } = metal.as('operator');
  t.is((await hardware.getProviderPower({ name: R1 })).power, PowerState.OFF);
  const on = { name: R1, change: PowerChange.ON, requestId: uuid() };
  t.is((await hardware.changeProviderPower(on)).power, PowerState.ON);
  t.is((await hardware.changeProviderPower(on)).power, PowerState.ON);
  t.is(metal.controllers.done.get('changePower'), 1, 'a repeat of the request is not done again');
  const network = { type: BootDeviceType.NETWORK, persistent: true };
  const set = { name: R1, bootDevice: network, requestId: uuid() };
  t.like((await hardware.setProviderBootDevice(set)).bootDevice, network);
  t.is((await hardware.probeProvider({ name: R1 })).report?.vendor, 'Lab');
  t.is((await hardware.listProviderSensors({ name: R1 })).sensors[0]?.label, 'inlet');
  t.is((await hardware.listProviderLogEntries({ name: R1 })).entries.length, 1);
  t.true((await hardware.setProviderIndicator({ name: R1, lit: true, requestId: uuid() })).lit);
  const raw = { name: R1, request: 'GET /redfish/v1/', requestId: uuid() };
  t.is((await hardware.sendRawRequest(raw)).response, 'echo GET /redfish/v1/');
  const scan = { parent: 'partitions/lab', ranges: ['10.0.0.0/30'], requestId: uuid() };
  t.is((await hardware.scanControllers(scan)).controllers[0]?.address, '10.0.0.7');
  t.deepEqual(metal.site.neighbours.discovered, ['10.0.0.7']);
  t.is(agent.orders[0]?.controller?.address, BMC_ADDRESS);
  await audited(t, metal, ['provider.raw_request_sent', 'provider.power_changed']);
});

test('an operator inserts and ejects media, and the audit holds no token of the URL', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  const { hardware } = metal.as('operator');
  t.is((await hardware.getProviderMedia({ name: R1 })).url, '');
  const url = 'http://10.0.0.5/rescue.iso?token=s3cret';
  const inserted = await hardware.insertProviderMedia({ name: R1, url, requestId: uuid() });
  t.is(inserted.url, url);
  t.is((await hardware.getProviderMedia({ name: R1 })).url, url);
  await hardware.ejectProviderMedia({ name: R1, requestId: uuid() });
  t.is((await hardware.getProviderMedia({ name: R1 })).url, '');
  const text = await auditText(metal);
  t.regex(text, /provider\.media_inserted.*http:\/\/10\.0\.0\.5\/rescue\.iso/);
  t.regex(text, /provider\.media_ejected/);
  t.notRegex(text, /s3cret/);
  for (const wrong of ['ftp://10.0.0.5/a.iso', 'http://me:pass@10.0.0.5/a.iso', '/a.iso']) {
    const asked = hardware.insertProviderMedia({ name: R1, url: wrong, requestId: uuid() });
    await refused(t, asked, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
  }
});

test('an operator sets the firmware for the next boot, each setting once and with a value', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  const { hardware } = metal.as('operator');
  const uefi = { name: 'BootMode', value: { case: 'text', value: 'Uefi' } } as const;
  const password = { name: 'SetupPassword', value: { case: 'text', value: 's3cret' } } as const;
  const set = (attributes: readonly MessageInitShape<typeof BiosAttributeSchema>[]) =>
    hardware.setProviderBiosAttributes({
      name: R1,
      requestId: uuid(),
      attributes: [...attributes],
    });
  await set([uefi, password]);
  const { attributes } = await hardware.listProviderBiosAttributes({ name: R1 });
  t.like(attributes[0], uefi);
  const text = await auditText(metal);
  t.regex(text, /provider\.bios_set.*Uefi/);
  t.notRegex(text, /s3cret/);
  const wanted = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
  t.is((await refused(t, set([uefi, uefi]), wanted)).metadata.field, 'attributes[1]');
  t.is((await refused(t, set([{ name: 'BootMode' }]), wanted)).metadata.field, 'attributes[0]');
});

const auditText = async (metal: MetalSite): Promise<string> => {
  const store = await openStore(metal.site);
  const rows = await store.read(({ kysely }) =>
    kysely<{ audit: object }>().selectFrom('audit').selectAll().execute(),
  );
  await store.close();
  return rows.map((row) => JSON.stringify(row)).join('\n');
};

const audited = async (t: ExecutionContext, metal: MetalSite, actions: readonly string[]) => {
  const text = await auditText(metal);
  for (const action of actions) t.true(text.includes(action), action);
  t.true(text.includes('GET /redfish/v1/'), 'the raw request itself is audited');
};

test('a stranger and a member see no controller and reach none', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  for (const token of ['red', 'reader']) {
    const { hardware, providerStates, providerConsoles } = metal.as(token);
    const calls = [
      () => hardware.getProviderPower({ name: R1 }),
      () => hardware.getProviderBootDevice({ name: R1 }),
      () => hardware.probeProvider({ name: R1 }),
      () => hardware.listProviderSensors({ name: R1 }),
      () => hardware.listProviderLogEntries({ name: R1 }),
      () => hardware.getProviderMedia({ name: R1 }),
      () => hardware.listProviderBiosAttributes({ name: R1 }),
      () => providerStates.getProviderState({ name: `${R1}/state` }),
      () => hardware.sendRawRequest({ name: R1, request: 'GET /', requestId: uuid() }),
      () => providerConsoles.writeProviderConsole({ name: R1, sessionId: uuid() }),
    ];
    for (const call of calls) {
      const error = await t.throwsAsync(call());
      t.false(String(error).includes('oob.example'), String(error));
    }
  }
  metal.controllers.done.delete('readFacts');
  t.deepEqual([...metal.controllers.done], []);
});

test('what the agent says comes back with its reason, and a change that failed is recorded', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  const { hardware, events } = metal.as('operator');
  metal.controllers.fault = {
    succeeded: false,
    reason: 'BMC_UNAUTHORIZED',
    message: 'The controller refuses the user "admin"',
  };
  const off = { name: R1, change: PowerChange.OFF, requestId: uuid() };
  const wanted = { kind: 'failed_precondition', reason: 'BMC_UNAUTHORIZED' } as const;
  await refused(t, hardware.changeProviderPower(off), wanted);
  const targetUid = metal.providers[0]?.uid ?? '';
  const told = await events.listEvents({ parent: 'partitions/lab/projects/-', targetUid });
  const [failed] = told.events.filter(({ message }) => message.includes('BMC_UNAUTHORIZED'));
  t.regex(failed?.message ?? '', /in vain .*: BMC_UNAUTHORIZED\. The controller refuses the user/);
  metal.controllers.fault = { succeeded: false, reason: 'BMC_TIMEOUT', message: 'too slow' };
  const late = { kind: 'unavailable', reason: 'BMC_TIMEOUT' } as const;
  await refused(t, hardware.getProviderPower({ name: R1 }), late);
});

test('ranges that an agent calls wrong are the mistake of who asked for the scan', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  metal.controllers.fault = {
    succeeded: false,
    reason: 'INVALID_FIELD',
    message: 'ranges: "10.0.0.300" is no IPv4 address',
  };
  const asked = { parent: 'partitions/lab', ranges: ['10.0.0.300'], requestId: uuid() };
  const wanted = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
  const { metadata } = await refused(
    t,
    metal.as('operator').hardware.scanControllers(asked),
    wanted,
  );
  t.is(metadata.field, 'ranges');
});

test('a provider without a controller or without an agent says what is missing', async (t) => {
  await using metal = await startMetalSite();
  const { hardware } = metal.as('operator');
  const away = { kind: 'unavailable', reason: 'NO_AGENT' } as const;
  await refused(t, hardware.getProviderPower({ name: R1 }), away);
  const host = { name: 'partitions/lab/providers/host-1' };
  const none = { kind: 'failed_precondition', reason: 'NO_CONTROLLER' } as const;
  await refused(t, hardware.getProviderPower(host), none);
});

test('two agents share a pool, and where one dies in its work the other does it', async (t) => {
  await using metal = await startMetalSite({ servers: 0 });
  const [first, second] = [await metal.connect(0), await metal.connect(1)];
  const servers = Array.from({ length: 12 }, (_, at) => newServer(`r2u${at + 1}`));
  for (const server of servers) metal.site.neighbours.addProvider(server);
  const { hardware } = metal.as('operator');
  const readAll = () => Promise.all(servers.map(({ name }) => hardware.getProviderPower({ name })));
  const asked = (agent: FakeAgent, uid?: string) =>
    agent.orders.filter(
      ({ work, providerUid }) =>
        work.case === 'readPower' && (uid === undefined || providerUid === uid),
    ).length;
  await readAll();
  t.true(asked(first) > 0 && asked(second) > 0, 'both work');
  t.is(asked(first) + asked(second), 12, 'none is asked twice');
  const round = async (): Promise<readonly number[]> => {
    const before = servers.map(({ uid }) => asked(first, uid));
    await readAll();
    return servers.map(({ uid }, at) => asked(first, uid) - (before[at] ?? 0));
  };
  let shares: readonly number[] = [];
  await eventually(
    async () => {
      shares = await round();
      return shares.filter((share) => share > 0).length === servers.length / 2;
    },
    { message: 'both have the same share' },
  );
  t.deepEqual(await round(), shares, 'each stays with one');
  metal.controllers.hangs = true;
  const before = asked(first);
  const calls = readAll();
  await eventually(() => asked(first) > before, { message: 'the first one works' });
  first.hangUp();
  metal.controllers.hangs = false;
  t.is((await calls).length, 12);
});

test('an order finds its agent at another replica', async (t) => {
  await using metal = await startMetalSite({ replicas: 2, config: { memberLeaseMs: 20_000 } });
  const agent = await metal.connect(0, 1);
  const { hardware } = metal.as('operator', 0);
  t.is((await hardware.getProviderPower({ name: R1 })).power, PowerState.OFF);
  t.true(agent.orders.some(({ work }) => work.case === 'readPower'));
});

test('an agent reads a secret while an order names it, and no other one and no longer', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  const { site } = metal;
  const transport = site.replicas[0]?.asAgent(
    [...site.neighbours.agents].find(([, name]) => name === BMC_AGENTS[0])?.[0] ?? '',
  );
  if (transport === undefined) throw new Error('no replica');
  const agents = createClient(AgentService, transport);
  const hidden = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  await refused(t, agents.getSecret({ name: SECRET }), hidden);
  metal.controllers.hangs = true;
  const { hardware } = metal.as('operator');
  const call = hardware.getProviderPower({ name: R1 });
  const found = await eventually(() => agents.getSecret({ name: SECRET }), { message: 'lent' });
  t.is(found.data.password, 'first');
  t.deepEqual(site.neighbours.secrets.get(SECRET)?.readers, [BMC_AGENTS[0]]);
  await refused(t, agents.getSecret({ name: 'projects/infra/secrets/other' }), hidden);
  metal.controllers.hangs = false;
  await call;
  // What ended is written down just after it was answered.
  await eventually(() =>
    agents.getSecret({ name: SECRET }).then(
      () => false,
      () => true,
    ),
  );
  await refused(t, agents.getSecret({ name: SECRET }), hidden);
});

test('credentials rotate: staged, set, tried, promoted', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  const { hardware } = metal.as('operator');
  const secret = metal.site.neighbours.secrets.get(SECRET);
  const asked = { name: R1, requestId: uuid() };
  t.is((await hardware.rotateProviderCredentials(asked)).secret, SECRET);
  const uid = metal.providers[0]?.uid ?? '';
  t.regex(secret?.data.password ?? '', /^[A-Za-z2-9]{16}$/);
  t.is(metal.controllers.passwords.get(uid), secret?.data.password);
  t.deepEqual(secret?.staged, {});
  t.is(secret?.data.user, 'admin');
  metal.controllers.fault = { succeeded: false, reason: 'BMC_REFUSED', message: 'too simple' };
  const again = hardware.rotateProviderCredentials({ name: R1, requestId: uuid() });
  await refused(t, again, { kind: 'failed_precondition', reason: 'BMC_REFUSED' });
  const staged = secret?.staged.password;
  t.truthy(staged, 'the new one stays staged');
  metal.controllers.fault = undefined;
  await hardware.rotateProviderCredentials({ name: R1, requestId: uuid() });
  t.is(secret?.data.password, staged, 'and is what the next try sets');
  t.is(metal.controllers.passwords.get(uid), staged);
});

test('a secret of several controllers is not rotated at one of them', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  const { hardware } = metal.as('operator');
  const other = newServer('r9u9');
  const { bmc } = other.spec ?? {};
  if (bmc !== undefined) bmc.address = 'https://10.99.0.9';
  metal.site.neighbours.addProvider(other);
  const rotate = () => hardware.rotateProviderCredentials({ name: R1, requestId: uuid() });
  const password = () => metal.site.neighbours.secrets.get(SECRET)?.data.password;
  const before = await eventually(async () => {
    const had = password();
    const error = await rotate().then(
      () => undefined,
      (refusal: unknown) => ConnectError.from(refusal),
    );
    return error === undefined ? undefined : { had, error };
  });
  t.is(before.error.code, Code.FailedPrecondition);
  t.regex(before.error.rawMessage, /holds that of r9u9 as well.*runm secret create/);
  t.is(password(), before.had);
});

test('an operator types at the console of a provider', async (t) => {
  await using metal = await startMetalSite({ replicas: 2, config: { memberLeaseMs: 20_000 } });
  const agent = await metal.connect(0, 1);
  const { providerConsoles } = metal.as('operator', 0);
  const stop = new AbortController();
  const seen: string[] = [];
  const open = { name: R1, reason: 'no boot' };
  let sessionId = '';
  const watching = (async () => {
    for await (const { content } of providerConsoles.watchProviderConsole(
      { open },
      { signal: stop.signal },
    )) {
      const part = content?.content;
      if (part?.case === 'opened') sessionId = part.value.sessionId;
      if (part?.case === 'data') seen.push(Buffer.from(part.value).toString());
    }
  })().catch(() => undefined);
  await eventually(() => sessionId !== '', { message: 'the console is open' });
  const data = Buffer.from('hello');
  await providerConsoles.writeProviderConsole({ name: R1, sessionId, data });
  await eventually(() => seen.join('').includes('HELLO'), { message: 'the echo' });
  t.like(agent.channels[0], { by: 'users/operator', reason: 'no boot', provider: R1 });
  t.is(agent.channels[0]?.controller?.secret, SECRET);
  stop.abort();
  await watching;
});
