import type { Kind, Shape } from './redfish-shape.ts';
import { resourceOf, STATUS } from './redfish-shape-parts.ts';

/** Chassis and what is below it: sensors, and the older Thermal and Power. */

const MEMBER: Readonly<Record<string, Kind>> = { MemberId: 'text', Name: 'text', Status: STATUS };
const member = (properties: Readonly<Record<string, Kind>>): Kind => ({
  list: { properties: { ...MEMBER, ...properties }, required: ['@odata.id', 'MemberId'] },
});

const SUPPLY: Readonly<Record<string, Kind>> = {
  PowerSupplyType: ['Unknown', 'AC', 'DC', 'ACorDC', 'DCregulator'],
  PowerCapacityWatts: 'number',
  Status: STATUS,
};

export const SUBSYSTEM_SHAPES: Readonly<Record<string, Shape>> = {
  '#Chassis.v1_22_0.Chassis': {
    ...resourceOf({
      ChassisType: ['Rack', 'Blade', 'Enclosure', 'StandAlone', 'RackMount', 'Card', 'Other'],
      Manufacturer: 'text',
      Model: 'text',
      SerialNumber: 'text',
      PowerState: ['On', 'Off', 'PoweringOn', 'PoweringOff'],
      Status: STATUS,
      LocationIndicatorActive: 'flag',
      IndicatorLED: ['Lit', 'Blinking', 'Off'],
      Sensors: 'link',
      ThermalSubsystem: 'link',
      PowerSubsystem: 'link',
      Thermal: 'link',
      Power: 'link',
      NetworkAdapters: 'link',
      Links: { properties: { ComputerSystems: 'links', ManagedBy: 'links' } },
    }),
    required: ['@odata.id', '@odata.type', 'Id', 'Name', 'ChassisType'],
  },
  '#NetworkAdapter.v1_9_0.NetworkAdapter': resourceOf({
    Status: STATUS,
    NetworkDeviceFunctions: 'link',
  }),
  '#NetworkDeviceFunction.v1_9_0.NetworkDeviceFunction': resourceOf({
    NetDevFuncType: ['Disabled', 'Ethernet', 'FibreChannel', 'iSCSI', 'FibreChannelOverEthernet'],
    DeviceEnabled: 'flag',
    Ethernet: { properties: { MACAddress: 'mac', PermanentMACAddress: 'mac' } },
    Status: STATUS,
  }),
  '#Sensor.v1_6_0.Sensor': resourceOf({
    Reading: 'number',
    ReadingType: ['Temperature', 'Rotational', 'Voltage', 'Power', 'Current', 'Percent'],
    ReadingUnits: ['Cel', '{rev}/min', 'V', 'W', 'A', '%'],
    Status: STATUS,
    Thresholds: { properties: { UpperCritical: { properties: { Reading: 'number' } } } },
  }),
  '#ThermalSubsystem.v1_1_0.ThermalSubsystem': resourceOf({
    Status: STATUS,
    Fans: 'link',
    ThermalMetrics: 'link',
  }),
  '#ThermalMetrics.v1_1_0.ThermalMetrics': resourceOf({
    TemperatureReadingsCelsius: {
      list: { properties: { DataSourceUri: 'uri', DeviceName: 'text', Reading: 'number' } },
    },
  }),
  '#Fan.v1_3_0.Fan': resourceOf({
    SpeedPercent: { properties: { Reading: 'number', SpeedRPM: 'number' } },
    Status: STATUS,
  }),
  '#PowerSubsystem.v1_1_0.PowerSubsystem': resourceOf({
    Status: STATUS,
    PowerSupplies: 'link',
  }),
  '#PowerSupply.v1_3_0.PowerSupply': resourceOf(SUPPLY),
  '#Thermal.v1_7_1.Thermal': resourceOf({
    Temperatures: member({ ReadingCelsius: 'number', UpperThresholdCritical: 'number' }),
    Fans: member({
      Reading: 'count',
      ReadingUnits: ['RPM', 'Percent'],
      UpperThresholdCritical: 'count',
    }),
  }),
  '#Power.v1_7_1.Power': resourceOf({
    PowerControl: member({ PowerConsumedWatts: 'number', PowerCapacityWatts: 'number' }),
    Voltages: member({ ReadingVolts: 'number', UpperThresholdCritical: 'number' }),
    PowerSupplies: member({ ...SUPPLY, LastPowerOutputWatts: 'number' }),
  }),
};
