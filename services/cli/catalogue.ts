import { CLAIM_NOUNS } from './catalogue-claims.ts';
import { type Catalogue, verb } from './catalogue-entry.ts';
import { HARDWARE_VERBS } from './catalogue-hardware.ts';
import { LAB_NOUNS } from './catalogue-lab.ts';
import { PLACE_NOUNS } from './catalogue-places.ts';

/** All nouns and verbs. */
export const CATALOGUE: Catalogue = {
  status: verb(
    'what there is and how it does',
    async () => (await import('./commands/status.ts')).status,
  ),
  whoami: verb(
    'who you are and what you may do',
    async () => (await import('./commands/whoami.ts')).whoami,
  ),
  machine: {
    summary: 'what you own and boot, metal or VM',
    verbs: {
      create: verb(
        'create a machine',
        async () => (await import('./commands/machine/create.ts')).create,
      ),
      get: verb('show one machine', async () => (await import('./commands/machine/read.ts')).get),
      list: verb('list machines', async () => (await import('./commands/machine/read.ts')).list),
      update: verb(
        'change properties, tags and limits',
        async () => (await import('./commands/machine/update.ts')).update,
      ),
      delete: verb(
        'delete a machine',
        async () => (await import('./commands/machine/delete.ts')).remove,
      ),
      start: verb(
        'power on and boot',
        async () => (await import('./commands/machine/power.ts')).start,
      ),
      shutdown: verb(
        'ask the guest to power off, never force',
        async () => (await import('./commands/machine/power.ts')).shutdown,
      ),
      stop: verb(
        'power off, forced after a time',
        async () => (await import('./commands/machine/power.ts')).stop,
      ),
      reset: verb(
        'boot anew at once',
        async () => (await import('./commands/machine/power.ts')).reset,
      ),
      pause: verb(
        'halt the processors',
        async () => (await import('./commands/machine/power.ts')).pause,
      ),
      resume: verb(
        'let the processors run again',
        async () => (await import('./commands/machine/power.ts')).resume,
      ),
      bootdev: verb(
        'set from what a machine on metal boots',
        async () => (await import('./commands/machine/server.ts')).bootDevice,
      ),
      'force-fail': verb(
        'end whatever it is in the middle of',
        async () => (await import('./commands/machine/server.ts')).forceFail,
      ),
      console: verb(
        'type at the serial console',
        async () => (await import('./commands/machine/console.ts')).machineConsole,
      ),
      share: verb(
        'give somebody a token for the console of one',
        async () => (await import('./commands/machine/share.ts')).share,
      ),
      join: verb(
        'open a console with such a token',
        async () => (await import('./commands/machine/join.ts')).join,
      ),
      timeline: verb(
        'what happened to a machine',
        async () => (await import('./commands/machine/timeline.ts')).timeline,
      ),
    },
  },
  ...CLAIM_NOUNS,
  provider: {
    summary: 'hardware and hosts that provide resources',
    verbs: {
      create: verb(
        'record a provider',
        async () => (await import('./commands/provider.ts')).create,
      ),
      get: verb('show one provider', async () => (await import('./commands/provider/get.ts')).get),
      list: verb(
        'list providers: what they have, and who holds them',
        async () => (await import('./commands/provider/list.ts')).list,
      ),
      update: verb(
        'change capabilities, groups, tags and inventories',
        async () => (await import('./commands/provider-update.ts')).update,
      ),
      reshape: verb(
        'change offers in a tree and move what is held with them',
        async () => (await import('./commands/provider-reshape.ts')).reshape,
      ),
      delete: verb(
        'delete providers',
        async () => (await import('./commands/provider-delete.ts')).remove,
      ),
      import: verb(
        'make providers what a file says',
        async () => (await import('./commands/provider/import.ts')).importProviders,
      ),
      export: verb(
        'write everything declared as a file to import',
        async () => (await import('./commands/provider/export.ts')).exportProviders,
      ),
      state: verb(
        'show where providers stand: open, in use, closed',
        async () => (await import('./commands/provider-state.ts')).state,
      ),
      accept: verb(
        'open one that has no agent of ours',
        async () => (await import('./commands/provider-state.ts')).accept,
      ),
      maintain: verb(
        'close one for work on it',
        async () => (await import('./commands/provider-state.ts')).maintain,
      ),
      quarantine: verb(
        'close one that is not to be trusted',
        async () => (await import('./commands/provider-state.ts')).quarantine,
      ),
      return: verb(
        'say that one is in order and clean',
        async () => (await import('./commands/provider-state.ts')).giveBack,
      ),
      ...HARDWARE_VERBS,
      'inventory set': verb(
        'change amounts that it offers',
        async () => (await import('./commands/provider-inventory.ts')).set,
      ),
      'inventory list': verb(
        'list what it offers and what is used of it',
        async () => (await import('./commands/provider-inventory.ts')).list,
      ),
    },
  },
  image: {
    summary: 'what machines boot from',
    verbs: {
      import: verb(
        'make an image of files or URLs',
        async () => (await import('./commands/image-import.ts')).importImage,
      ),
      get: verb('show one image', async () => (await import('./commands/image.ts')).get),
      list: verb('list images', async () => (await import('./commands/image.ts')).list),
      delete: verb('delete an image', async () => (await import('./commands/image.ts')).remove),
    },
  },
  operation: {
    summary: 'long-running work',
    verbs: {
      get: verb('show one operation', async () => (await import('./commands/operation.ts')).get),
      list: verb('list operations', async () => (await import('./commands/operation.ts')).list),
      wait: verb(
        'wait for the end of an operation',
        async () => (await import('./commands/operation.ts')).wait,
      ),
      cancel: verb(
        'ask an operation to end early',
        async () => (await import('./commands/operation.ts')).cancel,
      ),
    },
  },
  event: {
    summary: 'what happened',
    verbs: {
      list: verb('list events', async () => (await import('./commands/event.ts')).list),
      watch: verb(
        'show events as they happen',
        async () => (await import('./commands/event.ts')).watch,
      ),
    },
  },
  agent: {
    summary: 'our programs near the hardware',
    verbs: {
      list: verb('list agents', async () => (await import('./commands/agent.ts')).list),
      get: verb('show one agent', async () => (await import('./commands/agent.ts')).get),
      'token create': verb(
        'make a one-time token, and the line that makes a host join',
        async () => (await import('./commands/agent.ts')).createToken,
      ),
      drain: verb(
        'let an agent take no new work',
        async () => (await import('./commands/agent.ts')).drain,
      ),
      resume: verb(
        'let a drained agent take work again',
        async () => (await import('./commands/agent.ts')).resume,
      ),
      revoke: verb(
        "revoke an agent's certificates",
        async () => (await import('./commands/agent.ts')).revoke,
      ),
    },
  },
  partition: {
    summary: 'sites and data centres',
    verbs: {
      create: verb(
        'create a partition',
        async () => (await import('./commands/partition.ts')).create,
      ),
      get: verb('show one partition', async () => (await import('./commands/partition.ts')).get),
      list: verb('list partitions', async () => (await import('./commands/partition.ts')).list),
      update: verb(
        'change what a partition is',
        async () => (await import('./commands/partition.ts')).update,
      ),
      delete: verb(
        'delete an empty partition',
        async () => (await import('./commands/partition.ts')).remove,
      ),
    },
  },
  ...PLACE_NOUNS,
  project: {
    summary: 'tenants',
    verbs: {
      create: verb('create a project', async () => (await import('./commands/project.ts')).create),
      get: verb('show one project', async () => (await import('./commands/project.ts')).get),
      list: verb('list projects', async () => (await import('./commands/project.ts')).list),
      update: verb(
        'change what a project says',
        async () => (await import('./commands/project.ts')).update,
      ),
      delete: verb(
        'delete an empty project',
        async () => (await import('./commands/project.ts')).remove,
      ),
    },
  },
  user: {
    summary: 'people and automation',
    verbs: {
      create: verb('create a user', async () => (await import('./commands/user.ts')).create),
      get: verb('show one user', async () => (await import('./commands/user.ts')).get),
      list: verb('list users', async () => (await import('./commands/user.ts')).list),
      delete: verb('delete a user', async () => (await import('./commands/user.ts')).remove),
      grant: verb('give a user a role', async () => (await import('./commands/user.ts')).grant),
      revoke: verb('take a role away', async () => (await import('./commands/user.ts')).revoke),
    },
  },
  role: {
    summary: 'named sets of permissions',
    verbs: { list: verb('list roles', async () => (await import('./commands/role.ts')).list) },
  },
  secret: {
    summary: 'passwords and keys that only our services read',
    verbs: {
      create: verb('keep a secret', async () => (await import('./commands/secret.ts')).create),
      get: verb(
        'show what is known of one, without values',
        async () => (await import('./commands/secret.ts')).get,
      ),
      list: verb('list secrets', async () => (await import('./commands/secret.ts')).list),
      update: verb('replace all values', async () => (await import('./commands/secret.ts')).update),
      delete: verb('delete a secret', async () => (await import('./commands/secret.ts')).remove),
    },
  },
  token: {
    summary: 'bearer tokens',
    verbs: {
      create: verb(
        'make a token; it is printed once',
        async () => (await import('./commands/token.ts')).create,
      ),
      list: verb('list tokens', async () => (await import('./commands/token.ts')).list),
      delete: verb('revoke a token', async () => (await import('./commands/token.ts')).remove),
    },
  },
  cert: {
    summary: 'client certificates of applications',
    verbs: {
      create: verb(
        'make a key and a certificate for it',
        async () => (await import('./commands/cert.ts')).create,
      ),
      list: verb('list certificates', async () => (await import('./commands/cert.ts')).list),
      delete: verb('revoke a certificate', async () => (await import('./commands/cert.ts')).remove),
    },
  },
  apply: verb(
    'make providers, groups and what they name what a file says',
    async () => (await import('./commands/provider/import.ts')).importProviders,
  ),
  diff: verb(
    'show what applying a file would change',
    async () => (await import('./commands/provider/import.ts')).diff,
  ),
  export: verb(
    'write all of it that is declared as a file',
    async () => (await import('./commands/provider/export.ts')).exportProviders,
  ),
  ...LAB_NOUNS,
  profile: {
    summary: 'where runm connects and as whom',
    verbs: {
      list: verb('list profiles', async () => (await import('./commands/profile.ts')).list),
      use: verb('choose the profile', async () => (await import('./commands/profile.ts')).use),
      set: verb(
        'make or change a profile',
        async () => (await import('./commands/profile.ts')).set,
      ),
    },
  },
  version: verb('version of runm', async () => (await import('./commands/version.ts')).version),
  completion: verb(
    'shell completion for bash, zsh and fish',
    async () => (await import('./commands/completion.ts')).completion,
  ),
};
