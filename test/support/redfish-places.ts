/**
 * Where the schemas let a resource of a type be, what may be done to it besides reading, and which
 * type a link of a name leads to: `{}` stands for one part of a path.
 */
export type Place = {
  readonly uris: readonly string[];
  /** Of PATCH, POST and DELETE, as Allow may name them. */
  readonly methods: readonly string[];
};

const SYSTEM = '/redfish/v1/Systems/{}';
const CHASSIS = '/redfish/v1/Chassis/{}';
const MANAGER = '/redfish/v1/Managers/{}';

const at = (uris: readonly string[], ...methods: readonly string[]): Place => ({ uris, methods });

export const PLACES: Readonly<Record<string, Place>> = {
  ServiceRoot: at(['/redfish/v1']),
  ComputerSystem: at([SYSTEM], 'PATCH'),
  Bios: at([`${SYSTEM}/Bios`], 'PATCH'),
  BootOption: at([`${SYSTEM}/BootOptions/{}`], 'PATCH', 'DELETE'),
  SecureBoot: at([`${SYSTEM}/SecureBoot`], 'PATCH'),
  Processor: at([`${SYSTEM}/Processors/{}`], 'PATCH'),
  Memory: at([`${SYSTEM}/Memory/{}`], 'PATCH'),
  Storage: at([`${SYSTEM}/Storage/{}`], 'PATCH'),
  SimpleStorage: at([`${SYSTEM}/SimpleStorage/{}`]),
  Drive: at([`${SYSTEM}/Storage/{}/Drives/{}`, `${CHASSIS}/Drives/{}`], 'PATCH'),
  EthernetInterface: at(
    [`${SYSTEM}/EthernetInterfaces/{}`, `${MANAGER}/EthernetInterfaces/{}`],
    ...['PATCH', 'DELETE'],
  ),
  Chassis: at([CHASSIS], 'PATCH'),
  Sensor: at([`${CHASSIS}/Sensors/{}`], 'PATCH'),
  ThermalSubsystem: at([`${CHASSIS}/ThermalSubsystem`], 'PATCH'),
  ThermalMetrics: at([`${CHASSIS}/ThermalSubsystem/ThermalMetrics`]),
  Fan: at([`${CHASSIS}/ThermalSubsystem/Fans/{}`], 'PATCH'),
  PowerSubsystem: at([`${CHASSIS}/PowerSubsystem`], 'PATCH'),
  Thermal: at([`${CHASSIS}/Thermal`], 'PATCH'),
  Power: at([`${CHASSIS}/Power`], 'PATCH'),
  NetworkAdapter: at([`${CHASSIS}/NetworkAdapters/{}`], 'PATCH'),
  NetworkDeviceFunction: at(
    [`${CHASSIS}/NetworkAdapters/{}/NetworkDeviceFunctions/{}`],
    ...['PATCH', 'DELETE'],
  ),
  Manager: at([MANAGER], 'PATCH'),
  ManagerNetworkProtocol: at([`${MANAGER}/NetworkProtocol`], 'PATCH'),
  VirtualMedia: at([`${SYSTEM}/VirtualMedia/{}`, `${MANAGER}/VirtualMedia/{}`], 'PATCH'),
  LogService: at([`${SYSTEM}/LogServices/{}`, `${MANAGER}/LogServices/{}`], 'PATCH'),
  LogEntry: at([`${SYSTEM}/LogServices/{}/Entries/{}`], 'PATCH', 'DELETE'),
  SessionService: at(['/redfish/v1/SessionService'], 'PATCH'),
  Session: at(['/redfish/v1/SessionService/Sessions/{}'], 'DELETE'),
  SessionCollection: at(['/redfish/v1/SessionService/Sessions'], 'POST'),
  AccountService: at(['/redfish/v1/AccountService'], 'PATCH'),
  ManagerAccount: at(['/redfish/v1/AccountService/Accounts/{}'], 'PATCH', 'DELETE'),
  ManagerAccountCollection: at(['/redfish/v1/AccountService/Accounts'], 'POST'),
  Role: at(['/redfish/v1/AccountService/Roles/{}'], 'PATCH', 'DELETE'),
  EventService: at(['/redfish/v1/EventService'], 'PATCH'),
  EventDestination: at(['/redfish/v1/EventService/Subscriptions/{}'], 'PATCH', 'DELETE'),
  EventDestinationCollection: at(['/redfish/v1/EventService/Subscriptions'], 'POST'),
  MessageRegistryFile: at(['/redfish/v1/Registries/{}']),
  JsonSchemaFile: at(['/redfish/v1/JsonSchemas/{}']),
  PowerSupply: at([`${CHASSIS}/PowerSubsystem/PowerSupplies/{}`], 'PATCH'),
  UpdateService: at(['/redfish/v1/UpdateService'], 'PATCH'),
  SoftwareInventory: at(['/redfish/v1/UpdateService/FirmwareInventory/{}'], 'PATCH', 'DELETE'),
  TaskService: at(['/redfish/v1/TaskService'], 'PATCH'),
  Task: at(['/redfish/v1/TaskService/Tasks/{}'], 'DELETE'),
};

/** Links whose name does not say what they lead to. */
export const LINKED: Readonly<Record<string, string>> = {
  Systems: 'ComputerSystemCollection',
  Chassis: 'ChassisCollection',
  Managers: 'ManagerCollection',
  Tasks: 'TaskService',
  Sessions: 'SessionCollection',
  Accounts: 'ManagerAccountCollection',
  Roles: 'RoleCollection',
  FirmwareInventory: 'SoftwareInventoryCollection',
  SoftwareInventory: 'SoftwareInventoryCollection',
  BootOptions: 'BootOptionCollection',
  Processors: 'ProcessorCollection',
  Memory: 'MemoryCollection',
  Storage: 'StorageCollection',
  SimpleStorage: 'SimpleStorageCollection',
  EthernetInterfaces: 'EthernetInterfaceCollection',
  NetworkAdapters: 'NetworkAdapterCollection',
  NetworkDeviceFunctions: 'NetworkDeviceFunctionCollection',
  LogServices: 'LogServiceCollection',
  Entries: 'LogEntryCollection',
  VirtualMedia: 'VirtualMediaCollection',
  Sensors: 'SensorCollection',
  Fans: 'FanCollection',
  PowerSupplies: 'PowerSupplyCollection',
  Registries: 'MessageRegistryFileCollection',
  JsonSchemas: 'JsonSchemaFileCollection',
  Subscriptions: 'EventDestinationCollection',
  NetworkProtocol: 'ManagerNetworkProtocol',
  Drives: 'Drive',
  Enclosures: 'Chassis',
  ComputerSystems: 'ComputerSystem',
  ManagedBy: 'Manager',
  ManagerForServers: 'ComputerSystem',
  ManagerForChassis: 'Chassis',
  ManagerInChassis: 'Chassis',
};

/** Names that lead to the one under Links and to the other elsewhere. */
export const LINKED_UNDER_LINKS: Readonly<Record<string, string>> = { Chassis: 'Chassis' };
/** At the task service its own name leads on. */
export const LINKED_AT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  TaskService: { Tasks: 'TaskCollection' },
};

export const nameOf = (type: unknown): string => String(type).split('.').at(-1) ?? '';

export const isAt = (uri: string, { uris }: Place): boolean =>
  uris.some((one) => new RegExp(`^${one.replaceAll('{}', '[^/]+')}$`).test(uri));
