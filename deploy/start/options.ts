import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What was asked of `npm start`. Flags win over RUNM_STATE_DIR. */
export type StartOptions = {
  readonly verb: 'start' | 'stop' | 'reset';
  readonly stateDir: string;
  readonly demo: boolean;
  /** The rack of virtual servers. */
  readonly lab: boolean;
  readonly check: boolean;
  readonly background: boolean;
  readonly installSystem: boolean;
  readonly yes: boolean;
  readonly listen: string;
  readonly publicName: string | undefined;
  /** Origins of web pages that may call, as browsers write them: "https://console.example". */
  readonly origins: readonly string[];
  /** Ports that were asked for; an absent one has a default that moves on when it is taken. */
  readonly ports: { readonly people?: number; readonly mtls?: number; readonly boot?: number };
};

export class StartRefused extends Error {
  override readonly name = 'StartRefused';
  readonly cure: string;

  constructor(message: string, cure: string) {
    super(message);
    this.cure = cure;
  }
}

const USUAL_DIR = '.runmachine';

/** What ends the installation there; one line for a shell. */
export const stopCommand = (stateDir: string): string => {
  if (stateDir === resolve(USUAL_DIR)) return 'npm stop';
  const quoted = /^[\w@%+=:,./-]+$/.test(stateDir)
    ? stateDir
    : `'${stateDir.replaceAll("'", "'\\''")}'`;
  return `npm stop -- --state-dir ${quoted}`;
};

export const HELP = `npm start starts runmachine on this machine, and a first virtual machine.

usage: npm start -- [options]     npm stop     npm run reset

  --no-demo              do not create the machine "hello"
  --no-lab               do not bring up the rack of virtual servers
  --check                start, run the first machine, stop everything, exit 0 or 1
  --background           go on in the background once ready; \`npm stop\` ends it
  --state-dir DIR        where everything lies (.runmachine in the checkout; or RUNM_STATE_DIR)
  --install-system       bring missing programs with apt-get install instead of unpacking them
  --listen ADDRESS       where people reach it (127.0.0.1); else --public-name is needed
  --public-name NAME     host name or address in the certificate for people
  --origin URL           lets web pages of this origin call (none); may be given several times
  --people-port PORT     gRPC, gRPC-Web, Connect and JSON for people (7443)
  --mtls-port PORT       gRPC with client certificates (7444)
  --boot-port PORT       phone-home of guests (7445)
  --yes                  do not ask (reset)`;

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

export const parseStartOptions = (
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): StartOptions | 'help' => {
  const values = parse(argv);
  if (values.help === true) return 'help';
  const listen = values.listen ?? '127.0.0.1';
  if (!LOOPBACK.has(listen) && values['public-name'] === undefined) {
    throw new StartRefused(
      `--listen ${listen} opens runmachine to the network but no name is given for its certificate`,
      'add --public-name with the host name or address by which people reach it',
    );
  }
  const ports = {
    ...port('people', values['people-port']),
    ...port('mtls', values['mtls-port']),
    ...port('boot', values['boot-port']),
  };
  return {
    verb: values.stop ? 'stop' : values.reset ? 'reset' : 'start',
    stateDir: resolve(values['state-dir'] ?? env.RUNM_STATE_DIR ?? USUAL_DIR),
    demo: values['no-demo'] !== true,
    lab: values['no-lab'] !== true,
    check: values.check === true,
    background: values.background === true,
    installSystem: values['install-system'] === true,
    yes: values.yes === true,
    listen: listen === 'localhost' ? '127.0.0.1' : listen,
    publicName: values['public-name'],
    origins: (values.origin ?? []).map(originOf),
    ports,
  };
};

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        stop: { type: 'boolean' },
        reset: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        'no-demo': { type: 'boolean' },
        'no-lab': { type: 'boolean' },
        check: { type: 'boolean' },
        background: { type: 'boolean' },
        'install-system': { type: 'boolean' },
        yes: { type: 'boolean' },
        'state-dir': { type: 'string' },
        listen: { type: 'string' },
        'public-name': { type: 'string' },
        origin: { type: 'string', multiple: true },
        'people-port': { type: 'string' },
        'mtls-port': { type: 'string' },
        'boot-port': { type: 'string' },
      },
    }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new StartRefused(message.split('. ')[0] ?? message, 'see npm start -- --help');
  }
};

/** As a browser sends it; a path or a final slash would match no page ever. */
const originOf = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (isWeb && url.href === `${url.origin}/`) return url.origin;
  throw new StartRefused(
    `--origin: "${text}" is not an origin`,
    'give scheme, host and port of the page, for example https://console.example:8443',
  );
};

const port = <Name extends string>(
  name: Name,
  text: string | undefined,
): Partial<Record<Name, number>> => {
  if (text === undefined) return {};
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value < 1 || value > 65_535) {
    throw new StartRefused(
      `--${name}-port: "${text}" is not a port`,
      'give a number from 1 to 65535',
    );
  }
  const ports: Partial<Record<Name, number>> = {};
  ports[name] = value;
  return ports;
};
