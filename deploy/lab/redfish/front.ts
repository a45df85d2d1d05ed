import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../services/runtime/clock.ts';
import { faultyServer } from '../faulty-server.ts';
import type { LabFrontStarter } from '../front-port.ts';
import { type LabCertificate, makeCertificate } from './certificate.ts';
import { createSubscriptionStore } from './events/subscription-store.ts';
import { startRedfishServer } from './http-server.ts';
import { createRedfishService } from './service.ts';

/** Redfish in front of a virtual server of the rack: HTTPS with a certificate that it keeps. */
export const startRedfishFront: LabFrontStarter = async (options) => {
  const { host, port, clock, random, faults, directory } = options;
  const server = faultyServer(options.server, faults);
  const service = createRedfishService({
    ...{ server, clock, random, host },
    subscriptions: createSubscriptionStore(join(directory, 'subscriptions.json')),
  });
  const certificate = await keptCertificate(directory, { host, clock });
  const listening = await startRedfishServer({ service, faults, clock, host, port, certificate });
  return {
    port: listening.port,
    close: async () => {
      service.close();
      await listening.close();
    },
  };
};

type Owner = { readonly host: string; readonly clock: Clock };

const FILES = { certificate: 'redfish-certificate.pem', key: 'redfish-key.pem' } as const;

/** A restart shows the same certificate: whoever pinned it goes on. */
const keptCertificate = async (
  directory: string,
  { host, clock }: Owner,
): Promise<LabCertificate> => {
  const kept = await readPair(directory);
  if (kept !== undefined) return kept;
  const made = await makeCertificate(host, clock);
  await writeFile(join(directory, FILES.key), made.key, { mode: 0o600 });
  await writeFile(join(directory, FILES.certificate), made.certificate);
  return made;
};

/** Undefined where one of them is missing: a kill may have come between the two. */
const readPair = async (directory: string): Promise<LabCertificate | undefined> => {
  try {
    const certificate = await readFile(join(directory, FILES.certificate), 'utf8');
    return { certificate, key: await readFile(join(directory, FILES.key), 'utf8') };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};
