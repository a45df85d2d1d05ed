import { SUBSYSTEM_SHAPES } from './redfish-chassis-shapes.ts';
import { LOOKUP_SHAPES } from './redfish-lookup-shapes.ts';
import type { Kind, Shape } from './redfish-shape.ts';
import { IDENTITY, resourceOf, STATUS } from './redfish-shape-parts.ts';

/** The types that the lab's controllers show, each in the version that they say, by that name. */

const CONSOLE: Shape = {
  properties: {
    ServiceEnabled: 'flag',
    MaxConcurrentSessions: 'count',
    ConnectTypesSupported: { list: ['SSH', 'Telnet', 'IPMI', 'Oem'] },
  },
};

const EXPAND: Shape = {
  properties: {
    ExpandAll: 'flag',
    Levels: 'flag',
    Links: 'flag',
    NoLinks: 'flag',
    MaxLevels: 'count',
  },
};

const actions = (names: Readonly<Record<string, Shape>>): Shape => ({ properties: names });
const ACTION: Shape = {
  properties: { target: 'uri', ResetType: 'text', TransferProtocol: 'text' },
  required: ['target'],
};

const RESETS = [
  ...['On', 'ForceOff', 'GracefulShutdown', 'GracefulRestart', 'ForceRestart', 'Nmi', 'ForceOn'],
  ...['PushPowerButton', 'PowerCycle', 'Suspend', 'Pause', 'Resume'],
];
const TARGETS = [
  ...['None', 'Pxe', 'Floppy', 'Cd', 'Usb', 'Hdd', 'BiosSetup', 'Utilities', 'Diags', 'UefiShell'],
  ...['UefiTarget', 'SDCard', 'UefiHttp', 'RemoteDrive', 'UefiBootNext', 'Recovery'],
];
const HEALTHS = ['OK', 'Warning', 'Critical'];

const BOOT: Shape = {
  properties: {
    BootSourceOverrideEnabled: ['Disabled', 'Once', 'Continuous'],
    BootSourceOverrideTarget: TARGETS,
    BootSourceOverrideMode: ['Legacy', 'UEFI'],
    BootOrder: { list: 'text' },
    BootOptions: 'link',
  },
};

export const MESSAGE: Shape = {
  properties: {
    MessageId: 'text',
    Message: 'text',
    MessageArgs: { list: 'text' },
    RelatedProperties: { list: 'text' },
    MessageSeverity: HEALTHS,
    Severity: HEALTHS,
    Resolution: 'text',
  },
  required: ['MessageId'],
};

const POWER_STATES = ['On', 'Off', 'PoweringOn', 'PoweringOff', 'Paused'];

const LOG_ENTRY: Shape = {
  ...resourceOf({
    EntryType: ['Event', 'SEL', 'Oem', 'CXL'],
    Created: 'time',
    Severity: HEALTHS,
    Message: 'text',
    MessageId: 'text',
  }),
  required: ['@odata.id', '@odata.type', 'Id', 'Name', 'EntryType'],
};

const SHAPES: Readonly<Record<string, Shape>> = {
  '#ServiceRoot.v1_15_0.ServiceRoot': {
    properties: {
      ...IDENTITY,
      RedfishVersion: 'text',
      UUID: 'uuid',
      Vendor: 'text',
      Product: 'text',
      ProtocolFeaturesSupported: {
        properties: {
          ExcerptQuery: 'flag',
          FilterQuery: 'flag',
          OnlyMemberQuery: 'flag',
          SelectQuery: 'flag',
          ExpandQuery: EXPAND,
        },
      },
      ...links('Systems', 'Chassis', 'Managers', 'SessionService', 'AccountService'),
      ...links('UpdateService', 'Tasks', 'Registries', 'JsonSchemas', 'EventService'),
      Links: { properties: links('Sessions'), required: ['Sessions'] },
    },
    required: ['@odata.id', '@odata.type', 'Id', 'Name', 'Links'],
  },
  '#ComputerSystem.v1_20_0.ComputerSystem': resourceOf({
    SystemType: ['Physical', 'Virtual', 'OS', 'PhysicallyPartitioned', 'Composed', 'DPU'],
    Manufacturer: 'text',
    Model: 'text',
    SKU: 'text',
    SerialNumber: 'text',
    UUID: 'uuid',
    BiosVersion: 'text',
    Status: STATUS,
    PowerState: POWER_STATES,
    PowerRestorePolicy: ['AlwaysOn', 'AlwaysOff', 'LastState'],
    LocationIndicatorActive: 'flag',
    IndicatorLED: ['Lit', 'Blinking', 'Off'],
    SerialConsole: {
      properties: {
        MaxConcurrentSessions: 'count',
        IPMI: { properties: { ServiceEnabled: 'flag', Port: 'count' } },
      },
    },
    Boot: BOOT,
    ProcessorSummary: {
      properties: {
        Count: 'count',
        Model: 'text',
        CoreCount: 'count',
        LogicalProcessorCount: 'count',
      },
    },
    MemorySummary: { properties: { TotalSystemMemoryGiB: 'number' } },
    ...links('Processors', 'Memory', 'Storage', 'SimpleStorage', 'EthernetInterfaces'),
    ...links('LogServices', 'Bios', 'VirtualMedia', 'SecureBoot'),
    Links: { properties: { Chassis: 'links', ManagedBy: 'links' } },
    Actions: actions({
      '#ComputerSystem.Reset': ACTION,
      '#ComputerSystem.SetDefaultBootOrder': ACTION,
    }),
  }),
  '#ActionInfo.v1_3_0.ActionInfo': resourceOf({
    Parameters: {
      list: {
        properties: {
          Name: 'text',
          Required: 'flag',
          DataType: ['Boolean', 'Number', 'NumberArray', 'String', 'StringArray', 'Object'],
          AllowableValues: { list: RESETS },
        },
        required: ['Name'],
      },
    },
  }),
  '#Bios.v1_2_0.Bios': resourceOf({
    AttributeRegistry: 'text',
    Attributes: 'attributes',
    Actions: actions({ '#Bios.ResetBios': ACTION }),
  }),
  '#BootOption.v1_0_4.BootOption': resourceOf({
    BootOptionReference: 'text',
    DisplayName: 'text',
    Alias: TARGETS,
    BootOptionEnabled: 'flag',
  }),
  '#SecureBoot.v1_1_0.SecureBoot': resourceOf({
    SecureBootEnable: 'flag',
    SecureBootCurrentBoot: ['Enabled', 'Disabled'],
  }),
  '#Processor.v1_16_0.Processor': resourceOf({
    Socket: 'text',
    ProcessorType: ['CPU', 'GPU', 'FPGA', 'DSP', 'Accelerator', 'Core', 'Thread', 'OEM'],
    ProcessorArchitecture: ['x86', 'IA-64', 'ARM', 'MIPS', 'Power', 'OEM'],
    InstructionSet: ['x86', 'x86-64', 'IA-64', 'ARM-A32', 'ARM-A64', 'PowerISA', 'OEM'],
    Model: 'text',
    TotalCores: 'count',
    TotalThreads: 'count',
    Status: STATUS,
  }),
  '#Memory.v1_16_0.Memory': resourceOf({
    // Not DeviceLocator, which is deprecated since v1_9_0.
    Location: {
      properties: {
        PartLocation: {
          properties: {
            ServiceLabel: 'text',
            LocationType: ['Slot', 'Bay', 'Connector', 'Socket', 'Backplane', 'Embedded'],
          },
        },
      },
    },
    MemoryType: ['DRAM', 'NVDIMM_N', 'NVDIMM_F', 'NVDIMM_P', 'IntelOptane', 'Cache'],
    MemoryDeviceType: ['DDR3', 'DDR4', 'DDR5', 'HBM', 'HBM2', 'HBM3', 'Logical'],
    CapacityMiB: 'count',
    Status: STATUS,
  }),
  '#SimpleStorage.v1_3_1.SimpleStorage': resourceOf({
    Status: STATUS,
    Devices: {
      list: {
        properties: { Name: 'text', Model: 'text', CapacityBytes: 'count', Status: STATUS },
        required: ['Name'],
      },
    },
  }),
  '#Storage.v1_14_0.Storage': resourceOf({
    Status: STATUS,
    Drives: 'links',
    Links: { properties: { Enclosures: 'links' } },
  }),
  '#Drive.v1_16_0.Drive': resourceOf({
    Model: 'text',
    SerialNumber: 'text',
    CapacityBytes: 'count',
    MediaType: ['HDD', 'SSD', 'SMR'],
    Protocol: ['SATA', 'SAS', 'NVMe', 'PCIe', 'FC', 'USB'],
    Status: STATUS,
    Links: { properties: { Chassis: 'link' } },
  }),
  '#EthernetInterface.v1_9_0.EthernetInterface': resourceOf({
    MACAddress: 'mac',
    PermanentMACAddress: 'mac',
    SpeedMbps: 'count',
    InterfaceEnabled: 'flag',
    FullDuplex: 'flag',
    IPv4Addresses: {
      list: {
        properties: {
          Address: 'text',
          SubnetMask: 'text',
          AddressOrigin: ['Static', 'DHCP', 'BOOTP', 'IPv4LinkLocal'],
        },
      },
    },
    LinkStatus: ['LinkUp', 'NoLink', 'LinkDown'],
    Status: STATUS,
  }),
  '#Manager.v1_17_0.Manager': resourceOf({
    UUID: 'uuid',
    ManagerType: ['ManagementController', 'EnclosureManager', 'BMC', 'RackManager', 'Service'],
    Manufacturer: 'text',
    Model: 'text',
    FirmwareVersion: 'text',
    DateTime: 'time',
    DateTimeLocalOffset: 'zone',
    PowerState: POWER_STATES,
    Status: STATUS,
    SerialConsole: CONSOLE,
    ...links('EthernetInterfaces', 'NetworkProtocol', 'LogServices', 'VirtualMedia'),
    Links: {
      properties: {
        ManagerForServers: 'links',
        ManagerForChassis: 'links',
        ManagerInChassis: 'link',
      },
    },
    Actions: actions({ '#Manager.Reset': ACTION }),
  }),
  '#ManagerNetworkProtocol.v1_9_0.ManagerNetworkProtocol': resourceOf({
    HostName: 'text',
    Status: STATUS,
    HTTP: { properties: { ProtocolEnabled: 'flag', Port: 'count' } },
    HTTPS: { properties: { ProtocolEnabled: 'flag', Port: 'count' } },
    IPMI: { properties: { ProtocolEnabled: 'flag', Port: 'count' } },
  }),
  '#VirtualMedia.v1_6_0.VirtualMedia': resourceOf({
    MediaTypes: { list: ['CD', 'Floppy', 'USBStick', 'DVD'] },
    Image: 'text?',
    ImageName: 'text?',
    Inserted: 'flag',
    WriteProtected: 'flag',
    ConnectedVia: ['NotConnected', 'URI', 'Applet', 'Oem'],
    Actions: actions({ '#VirtualMedia.InsertMedia': ACTION, '#VirtualMedia.EjectMedia': ACTION }),
  }),
  '#LogService.v1_4_0.LogService': resourceOf({
    ServiceEnabled: 'flag',
    LogEntryType: ['Event', 'SEL', 'Multiple', 'OEM', 'CXL'],
    OverWritePolicy: ['Unknown', 'WrapsWhenFull', 'NeverOverWrites'],
    MaxNumberOfRecords: 'count',
    DateTime: 'time',
    DateTimeLocalOffset: 'zone',
    Status: STATUS,
    ...links('Entries'),
    Actions: actions({ '#LogService.ClearLog': ACTION }),
  }),
  '#LogEntry.v1_14_0.LogEntry': LOG_ENTRY,
  '#SessionService.v1_1_8.SessionService': resourceOf({
    ServiceEnabled: 'flag',
    SessionTimeout: 'count',
    Status: STATUS,
    ...links('Sessions'),
  }),
  '#Session.v1_5_0.Session': resourceOf({
    UserName: 'text',
    CreatedTime: 'time',
    SessionType: ['HostConsole', 'ManagerConsole', 'IPMI', 'KVMIP', 'Redfish', 'WebUI', 'OEM'],
  }),
  '#AccountService.v1_12_0.AccountService': resourceOf({
    ServiceEnabled: 'flag',
    MinPasswordLength: 'count',
    MaxPasswordLength: 'count',
    AccountLockoutThreshold: 'count',
    AccountLockoutDuration: 'count',
    AccountLockoutCounterResetAfter: 'count',
    Status: STATUS,
    ...links('Accounts', 'Roles'),
  }),
  '#ManagerAccount.v1_9_0.ManagerAccount': {
    ...resourceOf({
      UserName: 'text?',
      Password: 'text?',
      RoleId: 'text',
      Enabled: 'flag',
      Locked: 'flag',
      AccountTypes: { list: ['Redfish', 'SNMP', 'OEM', 'HostConsole', 'IPMI', 'WebUI'] },
      Links: { properties: links('Role') },
    }),
    required: ['@odata.id', '@odata.type', 'Id', 'Name', 'AccountTypes'],
  },
  '#Role.v1_3_1.Role': resourceOf({
    RoleId: 'text',
    IsPredefined: 'flag',
    AssignedPrivileges: {
      list: ['Login', 'ConfigureManager', 'ConfigureUsers', 'ConfigureSelf', 'ConfigureComponents'],
    },
  }),
  '#UpdateService.v1_11_0.UpdateService': resourceOf({
    ServiceEnabled: 'flag',
    Status: STATUS,
    ...links('FirmwareInventory', 'SoftwareInventory'),
    Actions: actions({ '#UpdateService.SimpleUpdate': ACTION }),
  }),
  '#SoftwareInventory.v1_8_0.SoftwareInventory': resourceOf({
    Version: 'text',
    Updateable: 'flag',
    Status: STATUS,
  }),
  '#TaskService.v1_2_0.TaskService': resourceOf({
    ServiceEnabled: 'flag',
    DateTime: 'time',
    CompletedTaskOverWritePolicy: ['Manual', 'Oldest'],
    LifeCycleEventOnTaskStateChange: 'flag',
    Status: STATUS,
    ...links('Tasks'),
  }),
  '#Task.v1_7_0.Task': resourceOf({
    TaskState: ['New', 'Starting', 'Running', 'Completed', 'Exception', 'Cancelled', 'Pending'],
    TaskStatus: HEALTHS,
    StartTime: 'time',
    EndTime: 'time',
    TaskMonitor: 'uri',
    Messages: { list: MESSAGE },
  }),
  ...SUBSYSTEM_SHAPES,
  ...LOOKUP_SHAPES,
};

const COLLECTION: Shape = {
  properties: { Name: 'text', Description: 'text', Members: 'links' },
  required: ['@odata.id', '@odata.type', 'Name', 'Members', 'Members@odata.count'],
};

/** The one collection that has its members in it (LogEntryCollection, OData.AutoExpand). */
const LOG: Shape = {
  ...COLLECTION,
  properties: { ...COLLECTION.properties, Members: { list: LOG_ENTRY } },
};

/** Undefined = no type that is known here. */
export const shapeOf = (type: string): Shape | undefined => {
  if (type === '#LogEntryCollection.LogEntryCollection') return LOG;
  return /^#(\w+Collection)\.\1$/.test(type) ? COLLECTION : SHAPES[type];
};

function links(...names: readonly string[]): Readonly<Record<string, Kind>> {
  return Object.fromEntries(names.map((name) => [name, 'link']));
}
