import { verb } from './catalogue-entry.ts';

const power = () => import('./commands/hardware/power.ts');
const controller = () => import('./commands/hardware/controller.ts');
const media = () => import('./commands/hardware/media.ts');
const bios = () => import('./commands/hardware/bios.ts');
const state = () => import('./commands/provider-state.ts');

/** What operators do at the controllers of providers, and how these get out of a failed state. */
export const HARDWARE_VERBS = {
  inspect: verb('read anew what the hardware is', async () => (await state()).inspect),
  clean: verb('clean anew what could not be cleaned', async () => (await state()).clean),
  adopt: verb('take one back on your word, whatever its state', async () => (await state()).adopt),
  retire: verb('close one for good', async () => (await state()).retire),
  'power on': verb('power on', async () => (await power()).on),
  'power off': verb('power off at once', async () => (await power()).off),
  'power soft-off': verb('ask to power off', async () => (await power()).softOff),
  'power reset': verb('reset at once', async () => (await power()).reset),
  'power cycle': verb('off and on again', async () => (await power()).cycle),
  'power status': verb('read the power', async () => (await power()).status),
  bootdev: verb(
    'show or set from what one boots',
    async () => (await import('./commands/hardware/boot-device.ts')).bootDevice,
  ),
  console: verb(
    'type at the serial console',
    async () => (await import('./commands/hardware/console.ts')).providerConsole,
  ),
  probe: verb('find out what a controller offers', async () => (await controller()).probe),
  sensors: verb('read the sensors', async () => (await controller()).sensors),
  log: verb('read or clear the event log', async () => (await controller()).log),
  indicator: verb('light or darken the indicator', async () => (await controller()).indicator),
  'media status': verb('show the virtual medium', async () => (await media()).status),
  'media insert': verb('insert a virtual medium', async () => (await media()).insert),
  'media eject': verb('eject the virtual medium', async () => (await media()).eject),
  'bios list': verb('read the firmware’s settings', async () => (await bios()).list),
  'bios set': verb('set some of them', async () => (await bios()).set),
  raw: verb('send a request of your own', async () => (await controller()).raw),
  rotate: verb('change the password of a controller', async () => (await controller()).rotate),
  timeline: verb(
    'what happened to one',
    async () => (await import('./commands/provider/timeline.ts')).timeline,
  ),
  scan: verb(
    'look for controllers',
    async () => (await import('./commands/hardware/scan.ts')).scan,
  ),
};
