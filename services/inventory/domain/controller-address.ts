/**
 * Where a management controller answers, and which of the systems behind it is meant. Two providers
 * that mean the same system would be one server that is given out twice. Nodes of a chassis share
 * its controller only where each names its own system, as "https://bmc/redfish/v1/Systems/2": an
 * address without one means the only system there is.
 */

export type ControllerAddress = {
  /** Host and port in one spelling; without the port where it is that of Redfish or IPMI. */
  readonly controller: string;
  /** Path of the system; empty: the only one. */
  readonly system: string;
};

export const controllerAddress = (address: string): ControllerAddress => {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/.exec(plainly(address)) ?? [];
  const at = rest.indexOf('/');
  const place = at < 0 ? rest : rest.slice(0, at);
  const path = at < 0 ? '' : rest.slice(at).replace(/\/+$/, '');
  return {
    controller: withoutPort(place, scheme === 'http://' ? PLAIN_PORTS : PORTS),
    system: path === '/redfish' || path === '/redfish/v1' ? '' : path,
  };
};

const plainly = (address: string): string => address.trim().toLowerCase();

const PORTS: ReadonlySet<string> = new Set(['443', '623']);
const PLAIN_PORTS: ReadonlySet<string> = new Set(['80', ...PORTS]);

const withoutPort = (place: string, ports: ReadonlySet<string>): string => {
  // IPv6 may be written without its brackets where no port follows.
  if (/^[^[\]]*:[^[\]]*:[^[\]]*$/.test(place)) return `[${place}]`;
  const [, host, port] = /^(\[[^\]]*\]|[^:]*):([0-9]+)$/.exec(place) ?? [];
  return host !== undefined && port !== undefined && ports.has(port) ? host : place;
};

/** The key of the identifier; see identifiersOf. */
export const controllerKey = ({ controller, system }: ControllerAddress): string =>
  `bmc ${controller}${system}`;
