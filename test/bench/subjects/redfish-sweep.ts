/** One sweep of the Redfish driver over many controllers, and the same calls by undici alone. */
import { Client } from 'undici';
import type { Bmc, BmcCredentials } from '../../../services/agent/bmc-port.ts';
import { createRedfishDriver } from '../../../services/agent/drivers/redfish/driver.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { serveParent } from '../serve-parent.ts';

export type SweepAsked = {
  readonly urls: readonly string[];
  readonly credentials: BmcCredentials;
  /** So many controllers are spoken to at once. */
  readonly concurrency: number;
};

export type Swept = { readonly ms: number; readonly failed: number };

const LIMIT_MS = 60_000;
const driver = createRedfishDriver({ clock: systemClock });
const lines = new Map<string, Bmc>();

const sweep = async (
  { urls, concurrency }: Pick<SweepAsked, 'urls' | 'concurrency'>,
  visit: (url: string) => Promise<void>,
): Promise<Swept> => {
  const left = urls[Symbol.iterator]();
  let failed = 0;
  const startMs = performance.now();
  const work = async (): Promise<void> => {
    for (const url of left) {
      await visit(url).catch((error: unknown) => {
        failed += 1;
        if (failed === 1) console.error(`  first failure: ${String(error)}`);
      });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return { ms: performance.now() - startMs, failed };
};

const inTime = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);

const openAt = (url: string, credentials: BmcCredentials): Promise<Bmc> =>
  driver.open({ address: url, provider: url, certificateSha256: '' }, credentials, inTime());

const readPower = async (bmc: Bmc): Promise<void> => {
  const { power } = bmc.offers;
  if (power.kind !== 'offered') throw new Error(power.why);
  const reading = await power.aspect.read(inTime());
  if (reading !== 'off') throw new Error(`power is ${reading}`);
};

/** From nothing: reaches each, signs in, asks what it offers, reads, signs out. */
const coldPower = (asked: SweepAsked): Promise<Swept> =>
  sweep(asked, async (url) => {
    const bmc = await openAt(url, asked.credentials);
    try {
      await readPower(bmc);
    } finally {
      await bmc.close(inTime());
    }
  });

/** As an agent has it that keeps its lines. */
const keep = (asked: SweepAsked): Promise<Swept> =>
  sweep(asked, async (url) => {
    lines.set(url, await openAt(url, asked.credentials));
  });

const keptPower = (asked: SweepAsked): Promise<Swept> =>
  sweep(asked, async (url) => {
    const bmc = lines.get(url);
    if (bmc === undefined) throw new Error(`${url} was not kept`);
    await readPower(bmc);
  });

const letGo = (asked: SweepAsked): Promise<Swept> =>
  sweep(asked, async (url) => {
    await lines.get(url)?.close(inTime());
    lines.delete(url);
  });

const facts = (asked: SweepAsked): Promise<Swept> =>
  sweep(asked, async (url) => {
    const bmc = await openAt(url, asked.credentials);
    try {
      if (bmc.offers.facts.kind !== 'offered') throw new Error(bmc.offers.facts.why);
      const read = await bmc.offers.facts.aspect.read(inTime());
      if (read.disks.length === 0 || read.nics.length < 2) throw new Error('facts are missing');
    } finally {
      await bmc.close(inTime());
    }
  });

/** So many calls at each by the library alone: the floor of what the driver can do. */
const bare = ({ calls, ...asked }: SweepAsked & { readonly calls: number }): Promise<Swept> => {
  const { user, password } = asked.credentials;
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return sweep(asked, async (url) => {
    const client = new Client(url);
    for (let call = 0; call < calls; call += 1) {
      const path = '/redfish/v1/Systems/1';
      const { body } = await client.request({ method: 'GET', path, headers: { authorization } });
      await body.json();
    }
    await client.close();
  });
};

serveParent({ coldPower, keep, keptPower, letGo, facts, bare });
