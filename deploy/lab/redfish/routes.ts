import type { Found, Route } from './context.ts';
import { ACCOUNT_ROUTES } from './resources/account-service.ts';
import { BIOS_ROUTES } from './resources/bios.ts';
import { BOOT_OPTION_ROUTES } from './resources/boot-options.ts';
import { CHASSIS_ROUTES } from './resources/chassis.ts';
import { EVENT_ROUTES } from './resources/event-service.ts';
import { HARDWARE_ROUTES } from './resources/hardware.ts';
import { LOG_ROUTES } from './resources/log-services.ts';
import { MANAGER_ROUTES } from './resources/manager.ts';
import { OLD_INVENTORY_ROUTES } from './resources/old-inventory.ts';
import { POWER_SUPPLY_ROUTES } from './resources/power-supplies.ts';
import { REGISTRY_ROUTES } from './resources/registries.ts';
import { ROOT_ROUTES } from './resources/root.ts';
import { SENSOR_ROUTES } from './resources/sensors.ts';
import { SESSION_ROUTES } from './resources/session-service.ts';
import { SMART_STORAGE_ROUTES } from './resources/smart-storage.ts';
import { SYSTEM_ROUTES } from './resources/system.ts';
import { TASK_ROUTES } from './resources/task-service.ts';
import { THERMAL_POWER_ROUTES } from './resources/thermal-power.ts';
import { UPDATE_ROUTES } from './resources/update-service.ts';
import { MEDIA_ROUTES } from './resources/virtual-media.ts';

const ROUTES: readonly Route[] = [
  ...ROOT_ROUTES,
  ...SMART_STORAGE_ROUTES,
  ...SYSTEM_ROUTES,
  ...HARDWARE_ROUTES,
  ...OLD_INVENTORY_ROUTES,
  ...BIOS_ROUTES,
  ...BOOT_OPTION_ROUTES,
  ...CHASSIS_ROUTES,
  ...SENSOR_ROUTES,
  ...THERMAL_POWER_ROUTES,
  ...POWER_SUPPLY_ROUTES,
  ...MANAGER_ROUTES,
  ...LOG_ROUTES,
  ...MEDIA_ROUTES,
  ...SESSION_ROUTES,
  ...ACCOUNT_ROUTES,
  ...UPDATE_ROUTES,
  ...TASK_ROUTES,
  ...EVENT_ROUTES,
  ...REGISTRY_ROUTES,
];

const STATIC = new Map(
  ROUTES.filter(({ path }) => !path.includes('{')).map((one) => [one.path, one]),
);
const PATTERNS = ROUTES.filter(({ path }) => path.includes('{')).map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replace('{id}', '([^/]+)')}$`),
}));

export type Routed = { readonly route: Route; readonly found: Found };

export const routeAt = (path: string): Routed | undefined => {
  const direct = STATIC.get(path);
  if (direct !== undefined) return { route: direct, found: { path, id: '' } };
  for (const { route, pattern } of PATTERNS) {
    const id = pattern.exec(path)?.[1];
    if (id !== undefined) return { route, found: { path, id } };
  }
  return undefined;
};
