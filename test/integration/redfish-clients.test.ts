/** Redfish clients that share no code with us find the lab's controllers to be what they know. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '../needs.ts';
import { eventListener } from '../support/event-listener.ts';
import { eventually } from '../support/eventually.ts';
import { redfishLab, USER } from '../support/redfish-lab.ts';
import { type Ended, run } from '../support/run.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

const need = needs('python3-sushy');
const { test } = need;

const SCRIPTS = join(import.meta.dirname, 'redfish-clients');
const IMAGE = 'http://127.0.0.1/rescue.iso';

type Running = { readonly certificate: string; readonly stdin?: string };

const python = (args: readonly string[], { certificate, stdin = '' }: Running): Promise<Ended> => {
  const { path, env } = need.program('python3-sushy');
  // The environment wins over what requests is told, and a proxy is not asked for loopback.
  const own = { REQUESTS_CA_BUNDLE: certificate, NO_PROXY: '*' };
  return run(path, { args, env: { ...env, ...own }, stdin });
};

test('sushy reads a server whole and changes what can be changed', async (t) => {
  const lab = await redfishLab(t);
  using dir = temporaryDir();
  const certificate = join(dir.path, 'certificate.pem');
  writeFileSync(certificate, lab.certificate.certificate);
  const asked = { url: lab.http.url, ...USER, certificate, image: IMAGE };
  const ended = await python([join(SCRIPTS, 'sushy-day.py')], {
    certificate,
    stdin: JSON.stringify(asked),
  });
  t.is(ended.code, 0, ended.stderr);
  const { hardware } = lab.server;
  t.like(JSON.parse(ended.stdout), {
    uuid: hardware.uuid,
    serial_number: hardware.serialNumber,
    manufacturer: hardware.vendor,
    processors: hardware.processors.map(({ model }) => model),
    nics: hardware.nics.map(({ mac }) => mac).toSorted(),
    drives: hardware.disks.map(({ model, sizeBytes }) => [model, sizeBytes]),
    boot: ['Pxe', 'Continuous', 'Legacy'],
    media: { image: IMAGE, inserted: true },
    manager: hardware.bmcVersion,
    firmware: [hardware.biosVersion, hardware.bmcVersion].toSorted(),
    sessions: 1,
  });
  t.is(lab.server.power(), 'off');
  t.is(lab.server.media(), undefined);
  t.deepEqual(lab.server.boot(), { device: 'network', persistent: true, mode: 'legacy' });
  t.is(lab.server.pendingBios().size, 1);
  t.deepEqual(lab.service.guard.sessions(), []);
});

test('sushy hears events, is told how an update ended, and restarts a controller', async (t) => {
  const lab = await redfishLab(t);
  await using listener = await eventListener();
  using dir = temporaryDir();
  const certificate = join(dir.path, 'certificate.pem');
  writeFileSync(certificate, lab.certificate.certificate);
  const asked = { url: lab.http.url, ...USER, certificate, listener: listener.url };
  const stdin = JSON.stringify(asked);
  const ended = await python([join(SCRIPTS, 'sushy-services.py')], { certificate, stdin });
  t.is(ended.code, 0, ended.stderr);
  t.deepEqual(JSON.parse(ended.stdout), {
    destination: listener.url,
    event_types: ['Alert'],
    update: 'Exception',
    tasks: 1,
    secure_boot: false,
    restarts: ['ForceRestart', 'GracefulRestart'],
    session_timeout: 600,
    indicator: 'Lit',
  });
  const heard = await eventually(() =>
    listener.heard.find(({ record }) => record.MessageId === 'Contoso.1.0.TemperatureHigh'),
  );
  t.like(heard.body, { Context: 'sushy' });
  t.like(heard.record, { Message: 'it is hot', MessageArgs: ['CPU1'], Severity: 'Warning' });
});

const REDFISHTOOL = 'import sys, redfishtoollib; redfishtoollib.main(sys.argv)';

test('redfishtool switches, reads and administers', async (t) => {
  const lab = await redfishLab(t);
  using dir = temporaryDir();
  const certificate = join(dir.path, 'certificate.pem');
  writeFileSync(certificate, lab.certificate.certificate);
  const config = join(dir.path, 'config.json');
  writeFileSync(config, JSON.stringify(USER), { mode: 0o600 });
  const host = new URL(lab.http.url).host;
  const tool = async (...args: readonly string[]): Promise<string> => {
    const fixed = ['-r', host, '-c', config, '-A', 'Session', '-S', 'Always', '-T', '30'];
    const ended = await python(['-c', REDFISHTOOL, ...fixed, ...args], { certificate });
    t.is(ended.code, 0, `${args.join(' ')}: ${ended.stdout} ${ended.stderr}`);
    return ended.stdout;
  };
  await tool('Systems', '-F', 'reset', 'On');
  await eventually(() => lab.server.power() === 'on', { message: 'power on' });
  await tool('Systems', '-F', 'setBootOverride', 'Once', 'BiosSetup');
  t.is(lab.server.boot().device, 'setup');
  t.like(JSON.parse(await tool('Systems', '-F')), {
    PowerState: 'On',
    UUID: lab.server.hardware.uuid,
  });
  t.regex(await tool('Systems', '-F', '-a', 'Processors'), /Members@odata.count/);
  t.regex(await tool('Chassis', '-F', 'Thermal'), /ReadingCelsius/);
  await tool('AccountService', 'adduser', 'guest', 'Guest-secret-1', 'ReadOnly');
  t.like(lab.server.accounts().at(-1), { user: 'guest', privilege: 'read_only', enabled: true });
  await tool('AccountService', 'deleteuser', 'guest');
  t.is(lab.server.accounts().length, 1);
  t.regex(await tool('SessionService', 'Sessions'), /Members@odata.count/);
  t.deepEqual(lab.service.guard.sessions(), []);
});
