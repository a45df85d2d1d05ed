import { mkdir, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { SERVICE_NAMES } from './contract.ts';
import { type IssuedPem, openAuthorityAlone } from './metadata/main.ts';
import { type Config, logOf, needed, sqlUrl } from './production.ts';
import { systemClock } from './runtime/clock.ts';
import { invalidArgument } from './runtime/errors.ts';
import { systemRandom } from './runtime/random.ts';

export type CertificateOrder = {
  /** Services, each of which gets one for its mTLS listener and its calls. */
  readonly services: readonly string[];
  /** Also one for the listener for people. */
  readonly people: boolean;
  /** Host names and addresses by which they are reached; at least one. */
  readonly hosts: readonly string[];
  /** Receives NAME.crt, NAME.key (0600) and ca.crt. */
  readonly directory: string;
};

/** Writes certificates; run again to renew them, the processes read them by themselves. */
export const issueCertificateFiles = async (
  config: Config,
  { services, people, hosts, directory }: CertificateOrder,
): Promise<void> => {
  if (hosts.length === 0) {
    throw invalidArgument('INVALID_FIELD', '--host is missing: by which name is it reached?');
  }
  const unknown = services.find((name) => !SERVICE_NAMES.some((known) => known === name));
  if (unknown !== undefined || (services.length === 0 && !people)) {
    const wrong = unknown === undefined ? ' or --people is missing' : ` "${unknown}" is no service`;
    throw invalidArgument(
      'INVALID_FIELD',
      `--name${wrong}; services are ${SERVICE_NAMES.join(', ')}`,
    );
  }
  const names = {
    dnsNames: hosts.filter((host) => isIP(host) === 0),
    addresses: hosts.filter((host) => isIP(host) !== 0),
  };
  await using access = await openAuthorityAlone({
    url: await sqlUrl(config),
    clock: systemClock,
    random: systemRandom,
    log: logOf({ ...config, log: { level: 'warn', file: '' } }, ['certificate']),
    cluster: config.cluster,
    masterKeyFile: needed(config.masterKeyFile, 'master_key_file'),
  });
  const { authority } = access;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await write(join(directory, 'ca.crt'), authority.caPem, 0o644);
  for (const name of services) {
    await writePair(directory, name, await authority.issueServiceCertificate({ name, ...names }));
  }
  if (people) await writePair(directory, 'people', await authority.issueServerCertificate(names));
};

const writePair = async (directory: string, name: string, issued: IssuedPem): Promise<void> => {
  await write(join(directory, `${name}.key`), issued.key, 0o600);
  await write(join(directory, `${name}.crt`), issued.certificate, 0o644);
  console.log(`wrote ${name}.crt and ${name}.key to ${directory}`);
};

const write = async (path: string, text: string, mode: number): Promise<void> => {
  await writeFile(`${path}.new`, text, { mode });
  await rename(`${path}.new`, path);
};
