import { isIPv4 } from 'node:net';
import type { LabContext, Route, Write } from '../context.ts';
import { type Json, link, links, noContent, refuse } from '../message.ts';
import { CHASSIS, MANAGER, ROOT, SYSTEM } from './paths.ts';
import { bmcUuid } from './root.ts';
import { collection, HEALTHY, resource } from './shape.ts';

const managerOf = ({ server, personality, clock }: LabContext): Json =>
  resource('Manager', MANAGER, {
    Name: 'Management controller',
    ManagerType: 'BMC',
    UUID: bmcUuid(server.hardware.uuid),
    Manufacturer: server.hardware.vendor,
    Model: personality.managerModel ?? `${server.hardware.model} controller`,
    FirmwareVersion: server.hardware.bmcVersion,
    DateTime: clock.now().toISOString(),
    DateTimeLocalOffset: '+00:00',
    PowerState: 'On',
    Status: HEALTHY,
    SerialConsole: {
      ServiceEnabled: true,
      MaxConcurrentSessions: 1,
      ConnectTypesSupported: ['IPMI'],
    },
    EthernetInterfaces: link(`${MANAGER}/EthernetInterfaces`),
    NetworkProtocol: link(`${MANAGER}/NetworkProtocol`),
    LogServices: link(`${MANAGER}/LogServices`),
    ...(personality.mediaAt === 'system' ? {} : { VirtualMedia: link(`${MANAGER}/VirtualMedia`) }),
    Links: {
      ManagerForServers: links([SYSTEM]),
      ManagerForChassis: links([CHASSIS]),
      ManagerInChassis: link(CHASSIS),
    },
    Actions: {
      '#Manager.Reset': { target: RESET, 'ResetType@Redfish.AllowableValues': RESETS },
    },
  });

const RESET = `${MANAGER}/Actions/Manager.Reset`;
const RESETS = ['GracefulRestart', 'ForceRestart'];

/** It is back at once, and knows nobody. */
const reset: Write = ({ server, guard, events }, body) => {
  const { ResetType: asked = RESETS[0] } = body;
  if (!RESETS.some((one) => one === asked)) {
    const detail = `ResetType is ${JSON.stringify(asked)}.`;
    return refuse(400, 'ActionParameterValueNotInList', { detail });
  }
  server.addLog({ severity: 'ok', message: 'The management controller was restarted' });
  guard.signOutAll();
  events.endStreams();
  return noContent;
};

const interfaceOf = ({ server, host }: LabContext): Json =>
  resource('EthernetInterface', `${MANAGER}/EthernetInterfaces/1`, {
    Name: 'Management port',
    MACAddress: server.hardware.bmcMac,
    PermanentMACAddress: server.hardware.bmcMac,
    InterfaceEnabled: true,
    LinkStatus: 'LinkUp',
    SpeedMbps: 1000,
    FullDuplex: true,
    ...(isIPv4(host)
      ? { IPv4Addresses: [{ Address: host, SubnetMask: '255.0.0.0', AddressOrigin: 'Static' }] }
      : {}),
    Status: HEALTHY,
  });

const protocolsOf = ({ server }: LabContext): Json =>
  resource('ManagerNetworkProtocol', `${MANAGER}/NetworkProtocol`, {
    Name: 'Network protocols',
    HostName: server.hardware.name,
    Status: HEALTHY,
    HTTPS: { ProtocolEnabled: true, Port: 443 },
    IPMI: { ProtocolEnabled: true, Port: 623 },
  });

const interfaces = `${MANAGER}/EthernetInterfaces`;

export const MANAGER_ROUTES: readonly Route[] = [
  {
    path: `${ROOT}/Managers`,
    get: () => collection('Manager', `${ROOT}/Managers`, { name: 'Managers', ids: ['bmc'] }),
  },
  { path: MANAGER, get: managerOf },
  { path: RESET, post: reset, need: 'manager' },
  {
    path: interfaces,
    get: () => collection('EthernetInterface', interfaces, { name: 'Interfaces', ids: ['1'] }),
  },
  { path: `${interfaces}/1`, get: interfaceOf },
  { path: `${MANAGER}/NetworkProtocol`, get: protocolsOf },
];
