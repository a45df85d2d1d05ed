/** The IPMI driver over many controllers: sessions that are kept, and sessions from nothing. */
import type { Bmc, BmcCredentials } from '../../../services/agent/bmc-port.ts';
import { createIpmiDriver } from '../../../services/agent/drivers/ipmi/driver.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { serveParent } from '../serve-parent.ts';

export type IpmiAsked = {
  readonly addresses: readonly string[];
  readonly credentials: BmcCredentials;
};

const LIMIT_MS = 30_000;
const driver = createIpmiDriver({ clock, random });
const kept = new Map<string, Bmc>();

const inTime = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);

const openAt = (address: string, credentials: BmcCredentials): Promise<Bmc> =>
  driver.open({ address, provider: address, certificateSha256: '' }, credentials, inTime());

const readPower = async ({ offers: { power } }: Bmc): Promise<void> => {
  if (power.kind !== 'offered') throw new Error(power.why);
  const reading = await power.aspect.read(inTime());
  if (reading !== 'off') throw new Error(`power is ${reading}`);
};

/** Milliseconds for all, each by itself; throws where one fails. */
const timed = async (
  addresses: readonly string[],
  visit: (address: string) => Promise<void>,
): Promise<number> => {
  const startMs = performance.now();
  await Promise.all(addresses.map(visit));
  return performance.now() - startMs;
};

/** From nothing: reached, signed in, asked what it offers, read, signed out. */
const cold = ({ addresses, credentials }: IpmiAsked): Promise<number> =>
  timed(addresses, async (address) => {
    const bmc = await openAt(address, credentials);
    await readPower(bmc);
    await bmc.close(inTime());
  });

const keep = ({ addresses, credentials }: IpmiAsked): Promise<number> =>
  timed(addresses, async (address) => {
    kept.set(address, await openAt(address, credentials));
  });

/** As an agent does that keeps its sessions: so many times each, one after the other. */
const statuses = ({ rounds }: { readonly rounds: number }): Promise<number> =>
  timed([...kept.keys()], async (address) => {
    const bmc = kept.get(address);
    if (bmc === undefined) throw new Error(`${address} was not kept`);
    for (let round = 0; round < rounds; round += 1) await readPower(bmc);
  });

const letGo = (): Promise<number> =>
  timed([...kept.keys()], async (address) => {
    await kept.get(address)?.close(inTime());
    kept.delete(address);
  });

serveParent({ cold, keep, statuses, letGo });
