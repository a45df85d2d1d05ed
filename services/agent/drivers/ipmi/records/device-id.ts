/** What a controller says of itself (IPMI 2.0 §20.1). */
export type DeviceId = {
  readonly deviceId: number;
  readonly productId: number;
  /** IANA enterprise number; 0 = it does not say. */
  readonly manufacturerId: number;
  /** "major.minor"; the minor number has two digits. */
  readonly firmware: string;
  readonly hasSensors: boolean;
  readonly hasSensorRepository: boolean;
  readonly hasLog: boolean;
  readonly hasInventory: boolean;
  readonly hasChassis: boolean;
};

const DEVICE_ID_BYTES = 11;

export const decodeDeviceId = (data: Buffer): DeviceId | undefined => {
  if (data.length < DEVICE_ID_BYTES) return undefined;
  const support = data.readUInt8(5);
  const major = data.readUInt8(2) & 0x7f;
  // Binary coded decimal.
  const minor = data.readUInt8(3).toString(16).padStart(2, '0');
  const manufacturer = data.readUIntLE(6, 3) & 0x0f_ffff;
  return {
    deviceId: data.readUInt8(0),
    productId: data.readUInt16LE(9),
    manufacturerId: manufacturer === 0x0f_ffff ? 0 : manufacturer,
    firmware: `${major}.${minor}`,
    hasSensors: (support & 0x01) !== 0,
    hasSensorRepository: (support & 0x02) !== 0,
    hasLog: (support & 0x04) !== 0,
    hasInventory: (support & 0x08) !== 0,
    hasChassis: (support & 0x80) !== 0,
  };
};

/** Enterprise numbers that say who made the server, where its inventory does not. */
const MANUFACTURERS: Readonly<Record<number, string>> = {
  2: 'IBM',
  11: 'HPE',
  42: 'Oracle',
  343: 'Intel',
  674: 'Dell',
  2011: 'Huawei',
  2623: 'ASUS',
  5771: 'Cisco',
  7244: 'Quanta',
  10368: 'Fujitsu',
  10876: 'Supermicro',
  19046: 'Lenovo',
  47196: 'HPE',
  47488: 'Supermicro',
};

export const manufacturerName = (id: number): string => MANUFACTURERS[id] ?? '';
