import { choice, durationMs, integer, list, sections, text } from './runtime/config-settings.ts';

const PORT = { min: 1, max: 65_535 } as const;

/**
 * Configuration of a production process; every key may be set by RUNM_<PATH> in the environment.
 */
export const SETTINGS = {
  cluster: text('Name of the installation, the trust domain of its certificates.', 'runmachine'),
  replica: text('Unique id of this process among its kind. Empty: one is made at each start.', ''),
  people: {
    address: text('Address that listens for people. Empty: this process does not.', ''),
    port: integer('Port for people.', 7443, PORT),
    certificateFile: text('Certificate of the listener for people, PEM.', ''),
    keyFile: text('Key of that certificate, PEM.', ''),
    origins: list('Origins of web pages that may call, "https://console.example".', []),
  },
  mtls: {
    address: text('Address that listens for services, agents and applications.', '127.0.0.1'),
    port: integer('Port of the mTLS listener.', 7444, PORT),
    advertise: text('host:port by which other processes reach it. Empty: address and port.', ''),
    caFile: text('CA certificates of the installation, PEM.', ''),
    certificateFile: text('Certificate of this service, PEM.', ''),
    keyFile: text('Key of that certificate, PEM.', ''),
  },
  sql: {
    urlFile: text(
      'File (mode 0600) that holds the postgresql:// URL; each service has its schema.',
      '',
    ),
  },
  etcd: {
    endpoints: list('https://host:port of every etcd member.', []),
    caFile: text("CA of etcd's certificates, PEM.", ''),
    certificateFile: text('Client certificate for etcd, PEM.', ''),
    keyFile: text('Key of that certificate, PEM.', ''),
    prefix: text('Put before every key, so that installations can share etcd. Empty: nothing.', ''),
    callTimeout: durationMs('Limit of one call to etcd.', '5s'),
  },
  agents: {
    bundleDir: text(
      'What deploy/agent-bundle/build.ts made, for hosts that join by way of the listener for ' +
        'people. Empty: hosts are given the agent in another way.',
      '',
    ),
    machineAddresses: list('host:port where such hosts reach the mTLS listeners of machine.', []),
  },
  masterKeyFile: text('File (mode 0600) with the key that seals secrets; only for metadata.', ''),
  bootstrapTokenFile: text('One-time bootstrap token; only for metadata. Empty: none.', ''),
  events: {
    webhooks: sections(
      'Receivers of events, each with id, url, types and secret_file; only for machine.',
      {
        id: text('Unique; how far it came is kept under it.', '', {
          pattern: /^[a-z0-9][a-z0-9-]{0,62}$/,
          want: 'lower-case letters, digits and "-"',
        }),
        url: text('Where events are posted.', '', {
          pattern: /^https?:\/\/\S+$/,
          want: 'an http(s) URL',
        }),
        types: list('Types of events; a star at the end for all that begin so.', ['*']),
        secretFile: text('File (mode 0600) with the secret that signs.', '', {
          pattern: /^.+$/,
          want: 'a file',
        }),
      },
    ),
    mail: {
      host: text('SMTP server for mail about events; only for machine. Empty: no mail.', ''),
      port: integer('Its port.', 587, PORT),
      security: choice('How the connection is encrypted; none is for this host.', 'starttls', [
        'starttls',
        'tls',
        'none',
      ]),
      user: text('Name for its login. Empty: without login.', ''),
      passwordFile: text('File (mode 0600) with its password.', ''),
      from: text('Sender of the mail.', ''),
      to: list('Who gets mail beside the contacts of projects.', []),
      types: list('Types of events; a star at the end for all that begin so.', [
        'claim.ending',
        'claim.expired',
        'claim.at_risk',
        'claim.replaced',
      ]),
    },
  },
  cleaning: {
    command: list(
      'Program and arguments that clean a server after a claim on it; it gets provider, ' +
        'claim and facts as JSON on its standard input, and 0 means that it is clean. ' +
        'Only for machine. ' +
        'Empty: none; without command and webhook an operator says when a server is clean.',
      [],
    ),
    webhook: text('Where the same JSON is posted instead; 2xx means that it is clean.', ''),
    secretFile: text('File (mode 0600) with the secret that signs what is posted.', ''),
    timeout: durationMs('What a cleaning may take; later it counts as failed.', '30m'),
  },
  drainNotice: durationMs('How long load balancers get to notice that this process stops.', '0s'),
  log: {
    level: choice('Least level that is logged.', 'info', [
      'trace',
      'debug',
      'info',
      'warn',
      'error',
    ]),
    file: text('File to log to, rotated by size. Empty: standard output.', ''),
  },
};
