/** IPMI 2.0 over LAN: RMCP+ sessions with one controller, and what it offers over them. */
import type { Clock } from '../../../runtime/clock.ts';
import type { Random } from '../../../runtime/random.ts';
import {
  type Bmc,
  type BmcAddress,
  type BmcCredentials,
  type BmcDriver,
  BmcError,
} from '../../bmc-port.ts';
import { readInventory } from './aspects/inventory.ts';
import { findOffers } from './offers.ts';
import { rulesOf } from './quirk.ts';
import { quirksOf } from './quirks/catalog.ts';
import { type DeviceId, decodeDeviceId, manufacturerName } from './records/device-id.ts';
import { type Connector, createConnector } from './session/connect.ts';
import { createLink, type Link, withDeadline } from './session/link.ts';

export type IpmiDeps = {
  readonly clock: Clock;
  readonly random: Random;
  /** How long what was written may take to be seen, in milliseconds; default 30 000. */
  readonly settleMs?: number;
};

const SETTLE_MS = 30_000;
const FAREWELL_MS = 1_000;
const NETFN_APP = 0x06;
const GET_DEVICE_ID = { netFn: NETFN_APP, command: 0x01, data: Buffer.alloc(0) } as const;
const THIS_CHANNEL = 0x0e;
const GET_CHANNEL_INFO = {
  netFn: NETFN_APP,
  command: 0x42,
  data: Buffer.from([THIS_CHANNEL]),
} as const;

export const createIpmiDriver = (deps: IpmiDeps): BmcDriver => ({
  name: 'ipmi',
  open: (address, credentials, signal) =>
    withDeadline({ provider: address.provider, signal }, async () => {
      const line: Line = { connector: createConnector(deps, address), credentials };
      const session = await line.connector.connect(line.credentials, signal);
      const { provider } = address;
      const connect = (ending: AbortSignal) => line.connector.connect(line.credentials, ending);
      const link = createLink({ clock: deps.clock, provider, connect }, session);
      try {
        return await openOn(deps, { address, line, link, ...session.signedIn }, signal);
      } catch (error) {
        void link.close(AbortSignal.timeout(FAREWELL_MS));
        throw error;
      }
    }),
});

/** `credentials` are those of the next session: they change when its password is rotated. */
type Line = { readonly connector: Connector; credentials: BmcCredentials };

type Opened = {
  readonly address: BmcAddress;
  readonly line: Line;
  readonly link: Link;
  readonly privilege: number;
};

const openOn = async (deps: IpmiDeps, opened: Opened, signal: AbortSignal): Promise<Bmc> => {
  const { line, link, privilege } = opened;
  const deviceId = await deviceIdOf(link, signal);
  const channel = await channelOf(link, signal);
  const inventory = await readInventory(link, signal);
  const vendor = inventory.vendor || manufacturerName(deviceId.manufacturerId);
  const { model } = inventory;
  const { firmware } = deviceId;
  const quirks = quirksOf({ vendor, model, firmware });
  const { settleMs = SETTLE_MS } = deps;
  const place = { clock: deps.clock, link, rules: rulesOf(quirks), deviceId, channel, settleMs };
  const passwordSet = (credentials: BmcCredentials): void => {
    if (credentials.user === line.credentials.user) line.credentials = credentials;
  };
  return {
    driver: 'ipmi',
    ...{ vendor, model, firmware, certificateSha256: '' },
    quirks: quirks.map(({ name }) => name),
    offers: await findOffers({ ...place, vendor, privilege, passwordSet }, signal),
    close: link.close,
  };
};

const deviceIdOf = async (link: Link, signal: AbortSignal): Promise<DeviceId> => {
  const deviceId = decodeDeviceId(await link.call(GET_DEVICE_ID, 'to say what it is', signal));
  if (deviceId !== undefined) return deviceId;
  const message = `Controller of provider "${link.provider}" says too little of itself`;
  throw new BmcError('protocol', message);
};

/** Some want the number of the channel where "this channel" is allowed. */
const channelOf = async (link: Link, signal: AbortSignal): Promise<number> => {
  const { code, data } = await link.ask(GET_CHANNEL_INFO, signal);
  return code === 0 && data.length > 0 ? data.readUInt8(0) & 0x0f : THIS_CHANNEL;
};
