/**
 * What the hardware says of itself by IPMI: little beside who made it. Processors, memory and disks
 * are told by Redfish, or by a system that runs on it.
 */
import type { FactsAspect, HardwareFacts, NicFact } from '../../../bmc-port.ts';
import type { FruFacts } from '../records/fru.ts';
import { uuidOf } from '../records/guid.ts';
import { withDeadline } from '../session/link.ts';
import { readInventory } from './inventory.ts';
import type { Place } from './place.ts';

const NOTHING = Buffer.alloc(0);
/** IPMI 2.0 §22.14 and §20.8; the first is the machine's, the second the controller's. */
const GET_SYSTEM_GUID = { netFn: 0x06, command: 0x37, data: NOTHING } as const;
const GET_DEVICE_GUID = { netFn: 0x06, command: 0x08, data: NOTHING } as const;
const GET_LAN_PARAMETER = { netFn: 0x0c, command: 0x02 } as const;
const MAC_PARAMETER = 5;
const MAC_BYTES = 6;

export const createFactsAspect = (place: Place, vendor: string): FactsAspect => {
  const { link, rules, channel, deviceId } = place;
  const { provider } = link;

  const uuid = async (signal: AbortSignal): Promise<string> => {
    for (const asked of [GET_SYSTEM_GUID, GET_DEVICE_GUID]) {
      const { code, data } = await link.ask(asked, signal);
      const found = code === 0 ? uuidOf(data, rules.guidOrder) : '';
      if (found !== '') return found;
    }
    return '';
  };

  const nics = async (signal: AbortSignal): Promise<readonly NicFact[]> => {
    const data = Buffer.from([channel, MAC_PARAMETER, 0, 0]);
    const answer = await link.ask({ ...GET_LAN_PARAMETER, data }, signal);
    const mac = answer.data.subarray(1, 1 + MAC_BYTES);
    const isTold = answer.code === 0 && mac.length === MAC_BYTES && mac.some((byte) => byte !== 0);
    if (!isTold) return [];
    const text = mac.toString('hex').replaceAll(/..(?=.)/g, '$&:');
    return [{ label: 'BMC', mac: text, speedBitsPerSecond: 0, bmc: true }];
  };

  const read = async (signal: AbortSignal): Promise<HardwareFacts> => {
    const inventory: FruFacts = await readInventory(link, signal);
    return {
      vendor: inventory.vendor || vendor,
      model: inventory.model,
      serialNumber: inventory.serialNumber,
      smbiosUuid: await uuid(signal),
      architecture: '',
      cpuModel: '',
      cpuSockets: 0,
      cpuThreads: 0,
      memoryBytes: 0,
      disks: [],
      nics: await nics(signal),
      firmware: [{ component: 'BMC', version: deviceId.firmware }],
    };
  };

  return { read: (signal) => withDeadline({ provider, signal }, () => read(signal)) };
};
