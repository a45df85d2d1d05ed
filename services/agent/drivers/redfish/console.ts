import type { ConsoleAspect, Offer } from '../../bmc-port.ts';
import type { Place } from './place.ts';
import { asResource, at, flagAt } from './resource.ts';

/**
 * Redfish names the protocols of a serial console (SerialConsole: IPMI, SSH, Telnet) and has none
 * of its own: its bytes never come over HTTP, so this driver cannot offer one.
 */
export const offerConsole = ({ system, manager }: Place): Offer<ConsoleAspect> => {
  const ways = [...waysIn(at(system, 'SerialConsole')), ...typesIn(manager)];
  const names = [...new Set(ways)].join(', ');
  const tells = names === '' ? 'It names no way to one' : `It names ${names}`;
  return {
    kind: 'not_offered',
    why: `Redfish carries no serial console. ${tells}; the IPMI driver has it (serial over LAN)`,
  };
};

const waysIn = (serial: unknown): readonly string[] =>
  Object.entries(asResource(serial))
    .filter(([, way]) => flagAt(way, 'ServiceEnabled') === true)
    .map(([name]) => name);

const typesIn = (manager: unknown): readonly string[] => {
  const types = at(manager, 'SerialConsole', 'ConnectTypesSupported');
  return Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [];
};
