/** Versions of the DMTF's schemas (DSP8010) that the resources of this service follow. */
export const VERSIONS = {
  AccountService: 'v1_12_0',
  Bios: 'v1_2_0',
  BootOption: 'v1_0_4',
  Chassis: 'v1_22_0',
  ComputerSystem: 'v1_20_0',
  Drive: 'v1_16_0',
  EthernetInterface: 'v1_9_0',
  EventDestination: 'v1_10_0',
  EventService: 'v1_7_0',
  Fan: 'v1_3_0',
  JsonSchemaFile: 'v1_1_4',
  LogEntry: 'v1_14_0',
  LogService: 'v1_4_0',
  Manager: 'v1_17_0',
  ManagerAccount: 'v1_9_0',
  ManagerNetworkProtocol: 'v1_9_0',
  Memory: 'v1_16_0',
  MessageRegistry: 'v1_5_0',
  MessageRegistryFile: 'v1_1_3',
  NetworkAdapter: 'v1_9_0',
  NetworkDeviceFunction: 'v1_9_0',
  Power: 'v1_7_1',
  PowerSubsystem: 'v1_1_0',
  PowerSupply: 'v1_3_0',
  Processor: 'v1_16_0',
  Role: 'v1_3_1',
  SecureBoot: 'v1_1_0',
  Sensor: 'v1_6_0',
  ServiceRoot: 'v1_15_0',
  Session: 'v1_5_0',
  SessionService: 'v1_1_8',
  SimpleStorage: 'v1_3_1',
  SoftwareInventory: 'v1_8_0',
  Storage: 'v1_14_0',
  Task: 'v1_7_0',
  TaskService: 'v1_2_0',
  Thermal: 'v1_7_1',
  ThermalMetrics: 'v1_1_0',
  ThermalSubsystem: 'v1_1_0',
  UpdateService: 'v1_11_0',
  VirtualMedia: 'v1_6_0',
} as const;

export type SchemaName = keyof typeof VERSIONS;

export const typeOf = (name: SchemaName): string => `#${name}.${VERSIONS[name]}.${name}`;

export const COLLECTIONS = [
  ...([
    'BootOption',
    'Chassis',
    'ComputerSystem',
    'Drive',
    'EthernetInterface',
    'Fan',
    'LogEntry',
  ] as const),
  ...(['LogService', 'Manager', 'ManagerAccount', 'Memory', 'NetworkAdapter'] as const),
  ...(['NetworkDeviceFunction', 'Processor', 'Role', 'SimpleStorage'] as const),
  ...(['EventDestination', 'JsonSchemaFile', 'MessageRegistryFile', 'PowerSupply'] as const),
  ...(['Sensor', 'Session', 'SoftwareInventory', 'Storage', 'Task', 'VirtualMedia'] as const),
] as const;

export type CollectionName = (typeof COLLECTIONS)[number];

export const collectionTypeOf = (name: CollectionName): string =>
  `#${name}Collection.${name}Collection`;
