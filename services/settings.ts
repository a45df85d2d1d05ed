import { choice, durationMs, integer, list, text } from './runtime/config-settings.ts';

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
  masterKeyFile: text('File (mode 0600) with the key that seals secrets; only for metadata.', ''),
  bootstrapTokenFile: text('One-time bootstrap token; only for metadata. Empty: none.', ''),
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
