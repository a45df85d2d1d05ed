import { mkdir, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { openAuthorityAlone } from './metadata/main.ts';
import { type Config, logOf, needed, sqlUrl } from './production.ts';
import { systemClock } from './runtime/clock.ts';
import { invalidArgument } from './runtime/errors.ts';
import { systemRandom } from './runtime/random.ts';

export type CertificateOrder = {
  readonly for: 'people' | { readonly service: string };
  /** Host names and addresses by which it is reached; at least one. */
  readonly hosts: readonly string[];
  /** Receives NAME.crt, NAME.key (0600) and ca.crt. */
  readonly directory: string;
};

/** Writes the certificate of a process; run again to renew it, the process reads it by itself. */
export const issueCertificateFiles = async (
  config: Config,
  order: CertificateOrder,
): Promise<void> => {
  if (order.hosts.length === 0) {
    throw invalidArgument('INVALID_FIELD', '--host is missing: by which name is it reached?');
  }
  const names = {
    dnsNames: order.hosts.filter((host) => isIP(host) === 0),
    addresses: order.hosts.filter((host) => isIP(host) !== 0),
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
  const issued =
    order.for === 'people'
      ? await authority.issueServerCertificate(names)
      : await authority.issueServiceCertificate({
          name: needed(order.for.service, '--name'),
          ...names,
        });
  const name = order.for === 'people' ? 'people' : order.for.service;
  await mkdir(order.directory, { recursive: true, mode: 0o700 });
  const write = async (file: string, text: string, mode: number): Promise<void> => {
    const path = join(order.directory, file);
    await writeFile(`${path}.new`, text, { mode });
    await rename(`${path}.new`, path);
  };
  await write('ca.crt', authority.caPem, 0o644);
  await write(`${name}.key`, issued.key, 0o600);
  await write(`${name}.crt`, issued.certificate, 0o644);
  console.log(`wrote ${name}.crt and ${name}.key to ${order.directory}`);
};
