import test, { type ExecutionContext } from 'ava';
import type { Personality } from '../../../deploy/lab/redfish/personality.ts';
import type { LabHardware } from '../../../deploy/lab/server-port.ts';
import { QUIRKS } from '../../../services/agent/drivers/redfish/quirks/catalog.ts';
import { type BmcUnderTest, bmcContract } from '../../contract/bmc-contract.suite.ts';
import { redfishLab } from '../../support/redfish-lab.ts';

/** A controller that has the quirk, as far as it is described where the quirk says. */
type Make = {
  readonly hardware: Partial<LabHardware>;
  readonly personality: Personality;
  readonly quirks: readonly string[];
  readonly hasFixedBootMode?: boolean;
  readonly bootDeviceLasts?: boolean;
};

const SUPERMICRO: Make = {
  hardware: { vendor: 'Supermicro', model: 'SYS-620P-TRT', bmcVersion: '01.01.06' },
  personality: { cdrom: 'usb', bootMode: 'forgotten', sensors: 'old', indicator: 'old' },
  quirks: ['supermicro-boot-mode', 'supermicro-usb-cd'],
};

const MAKES: Readonly<Record<string, Make>> = {
  'an iDRAC 8': {
    hardware: { vendor: 'Dell Inc.', model: 'PowerEdge R630', bmcVersion: '2.86.86.86' },
    personality: {
      product: 'Integrated Dell Remote Access Controller',
      managerModel: '13G Monolithic',
      accountSlots: 'fixed',
      serialAt: 'SKU',
      firmware: 'all',
      memoryUnit: 'decimal',
      biosByJob: true,
      sensors: 'old',
      indicator: 'old',
      expand: false,
    },
    quirks: [
      ...['dell-account-places', 'dell-bios-job', 'dell-installed-firmware'],
      ...['dell-memory-unit', 'dell-service-tag'],
    ],
  },
  'an iLO 4': {
    hardware: { vendor: 'HPE', model: 'ProLiant DL380 Gen9', bmcVersion: 'iLO 4 v2.82' },
    personality: {
      product: 'ProLiant DL380 Gen9',
      accountsLack: 'flags',
      bootMode: 'read-only',
      mediaBy: 'patch',
      mediaRefuses: ['Inserted', 'WriteProtected'],
      sensors: 'old',
      indicator: 'old',
      expand: false,
      noSoftOff: 'push-button',
      disksAt: 'smart-storage',
    },
    quirks: ['hpe-account-flags', 'hpe-boot-mode', 'hpe-smart-storage'],
    hasFixedBootMode: true,
  },
  'an iLO 5': {
    hardware: { vendor: 'HPE', model: 'ProLiant DL380 Gen10', bmcVersion: 'iLO 5 v2.72' },
    personality: {
      product: 'ProLiant DL380 Gen10',
      accountsLack: 'enabled',
      bootMode: 'read-only',
      indicator: 'old',
      disksAt: 'smart-storage',
    },
    quirks: ['hpe-boot-mode', 'hpe-smart-storage'],
    hasFixedBootMode: true,
  },
  'an XCC': {
    hardware: { vendor: 'Lenovo', model: 'ThinkSystem SR630', bmcVersion: '19A 2.50' },
    personality: {
      managerModel: 'Lenovo XClarity Controller',
      mediaBy: 'patch',
      otherDrives: ['RDOC1', 'RDOC2'],
      drive: 'EXT1',
      mediaNeeds: ['Inserted', 'WriteProtected'],
      etags: 'required',
    },
    quirks: ['lenovo-media-drives'],
  },
  'a DGX': {
    hardware: { vendor: 'NVIDIA', model: 'DGXH100', bmcVersion: '24.01.05' },
    personality: { partialSystem: 'HGX_Baseboard_0', bootAt: 'settings' },
    quirks: ['nvidia-baseboard'],
  },
  'an X12 board': SUPERMICRO,
  'an emulator of sushy-tools': {
    hardware: { vendor: 'Sushy Emulator', model: '' },
    personality: {
      ...{ sessions: 'none', expand: false, indicator: 'old', mediaAt: 'system' },
      bootOverride: 'lasts',
    },
    quirks: ['sushy-tools-boot-lasts'],
    bootDeviceLasts: true,
  },
};

for (const [name, make] of Object.entries(MAKES)) {
  const start = async (t: ExecutionContext<unknown>): Promise<BmcUnderTest> => {
    const { open, server, setFault } = await redfishLab(t, make);
    const bmc = await open();
    t.deepEqual(bmc.quirks, make.quirks);
    return { bmc, server, open, setFault };
  };
  const { hasFixedBootMode = false, bootDeviceLasts = false } = make;
  bmcContract(test, { name, start, without: ['console'], hasFixedBootMode, bootDeviceLasts });
}

test('every quirk has a controller here that has it', (t) => {
  const shown = new Set(Object.values(MAKES).flatMap(({ quirks }) => quirks));
  t.deepEqual([...shown].toSorted(), QUIRKS.map(({ name }) => name).toSorted());
});
