import type { BmcIdentity, Quirk } from '../quirk.ts';
import { dellAccountPlaces } from './dell-account-places.ts';
import { dellBiosJob } from './dell-bios-job.ts';
import { dellInstalledFirmware } from './dell-installed-firmware.ts';
import { dellMemoryUnit } from './dell-memory-unit.ts';
import { dellServiceTag } from './dell-service-tag.ts';
import { hpeAccountFlags } from './hpe-account-flags.ts';
import { hpeBootMode } from './hpe-boot-mode.ts';
import { hpeSmartStorage } from './hpe-smart-storage.ts';
import { lenovoMediaDrives } from './lenovo-media-drives.ts';
import { nvidiaBaseboard } from './nvidia-baseboard.ts';
import { supermicroBootMode } from './supermicro-boot-mode.ts';
import { supermicroUsbCd } from './supermicro-usb-cd.ts';
import { sushyToolsBootLasts } from './sushy-tools-boot-lasts.ts';

/** All that is known, in the order in which they apply. */
export const QUIRKS: readonly Quirk[] = [
  dellAccountPlaces,
  dellBiosJob,
  dellInstalledFirmware,
  dellMemoryUnit,
  dellServiceTag,
  hpeAccountFlags,
  hpeBootMode,
  hpeSmartStorage,
  lenovoMediaDrives,
  nvidiaBaseboard,
  supermicroBootMode,
  supermicroUsbCd,
  sushyToolsBootLasts,
];

export const quirksOf = (identity: BmcIdentity): readonly Quirk[] =>
  QUIRKS.filter((quirk) => quirk.applies(identity));
