import type { Clock } from '../../../runtime/clock.ts';
import type { Bmc, BmcAddress, BmcCredentials, BmcDriver } from '../../bmc-port.ts';
import { parseAddress } from './address.ts';
import { createClient } from './client.ts';
import { canExpand, discover, signedInRoot } from './discovery.ts';
import { createExchange } from './exchange.ts';
import { offersOf } from './offers.ts';
import { rulesOf } from './quirk.ts';
import { quirksOf } from './quirks/catalog.ts';
import { createSession, type Session } from './session.ts';
import { createTransport, type Transport } from './transport.ts';

export type RedfishDeps = {
  readonly clock: Clock;
  /** How long what was written may take to be seen, in milliseconds; default 30 000. */
  readonly settleMs?: number;
};

const SETTLE_MS = 30_000;
/** For the end of a session whose opening failed; nobody waits for it. */
const FAREWELL_MS = 2_000;

export const createRedfishDriver = (deps: RedfishDeps): BmcDriver => ({
  name: 'redfish',
  open: async (address, credentials, signal) => {
    const line = lineTo({ address, credentials });
    try {
      return await openOn(deps, line, signal);
    } catch (error) {
      void hangUp(line, AbortSignal.timeout(FAREWELL_MS));
      throw error;
    }
  },
});

type Line = {
  readonly at: ReturnType<typeof parseAddress>;
  readonly transport: Transport;
  readonly session: Session;
};

type Peer = { readonly address: BmcAddress; readonly credentials: BmcCredentials };

const lineTo = ({ address, credentials }: Peer): Line => {
  const { provider, certificateSha256 } = address;
  const at = parseAddress(address.address, provider);
  const transport = createTransport({ origin: at.origin, provider, certificateSha256 });
  const session = createSession(createExchange(transport, at.origin), credentials);
  return { at, transport, session };
};

const openOn = async (deps: RedfishDeps, line: Line, signal: AbortSignal): Promise<Bmc> => {
  const { clock, settleMs = SETTLE_MS } = deps;
  const { at, session, transport } = line;
  let expands = false;
  const client = createClient({
    clock,
    session,
    canExpand: () => expands,
  });
  const root = await signedInRoot({ client, session }, signal);
  expands = canExpand(root);
  const found = await discover(client, { root, address: at }, signal);
  const quirks = quirksOf(found.identity);
  const { vendor, model, firmware } = found.identity;
  return {
    driver: 'redfish',
    vendor,
    model,
    firmware,
    certificateSha256: transport.certificateSha256(),
    quirks: quirks.map(({ name }) => name),
    offers: offersOf({
      client,
      clock,
      renew: session.renew,
      rules: rulesOf(quirks),
      settleMs,
      ...found,
    }),
    close: (ending) => hangUp(line, ending),
  };
};

/** Never throws: a session that cannot be ended expires by itself. */
const hangUp = async ({ session, transport }: Line, signal: AbortSignal): Promise<void> => {
  const isOver = await session.signOut(signal).then(
    () => true,
    () => false,
  );
  await (isOver ? transport.close() : transport.destroy()).catch(() => undefined);
};
