import { type Catalogue, verb } from './catalogue-entry.ts';

const group = () => import('./commands/group/read.ts');
const groupChange = () => import('./commands/group/change.ts');
const capability = () => import('./commands/capability.ts');
const resourceType = () => import('./commands/resource-type.ts');
const distanceType = () => import('./commands/distance-type.ts');
const discovery = () => import('./commands/discovery.ts');
const definition = () => import('./commands/definition.ts');

/** Where providers are and what can be said of them. */
export const PLACE_NOUNS: Catalogue = {
  group: {
    summary: 'providers that belong together: sites, rows, racks, power feeds',
    verbs: {
      create: verb('create a group', async () => (await groupChange()).create),
      get: verb('show one group', async () => (await group()).get),
      list: verb('list groups', async () => (await group()).list),
      update: verb('change what a group is', async () => (await groupChange()).update),
      delete: verb('delete an empty group', async () => (await group()).remove),
      add: verb('put providers into a group', async () => (await groupChange()).add),
      remove: verb('take providers out', async () => (await groupChange()).removeMembers),
      members: verb('list the providers of a group', async () => (await group()).members),
    },
  },
  discovery: {
    summary: 'controllers that scans found, proposed as providers',
    verbs: {
      list: verb('list what scans found', async () => (await discovery()).list),
      get: verb('show one of it', async () => (await discovery()).get),
      accept: verb('make a provider of it', async () => (await discovery()).accept),
      reject: verb('say that it is not wanted', async () => (await discovery()).reject),
      delete: verb('forget what was found', async () => (await discovery()).remove),
    },
  },
  capability: {
    summary: 'yes/no traits of providers',
    verbs: {
      create: verb('define a capability', async () => (await capability()).create),
      get: verb('show one capability', async () => (await capability()).get),
      list: verb('list capabilities', async () => (await capability()).list),
      update: verb('say anew what it means', async () => (await capability()).update),
      delete: verb('delete an unused capability', async () => (await capability()).remove),
    },
  },
  'resource-type': {
    summary: 'what providers offer amounts of',
    verbs: {
      create: verb('define a resource type', async () => (await resourceType()).create),
      get: verb('show one resource type', async () => (await resourceType()).get),
      list: verb('list resource types', async () => (await resourceType()).list),
      update: verb('say anew what it means', async () => (await resourceType()).update),
      delete: verb('delete an unused resource type', async () => (await resourceType()).remove),
    },
  },
  'distance-type': {
    summary: 'how far things are apart, and in what steps',
    verbs: {
      create: verb('define a distance type', async () => (await distanceType()).create),
      get: verb('show one distance type', async () => (await distanceType()).get),
      list: verb('list distance types', async () => (await distanceType()).list),
      update: verb('change meaning or steps', async () => (await distanceType()).update),
      delete: verb('delete an unused distance type', async () => (await distanceType()).remove),
    },
  },
  definition: {
    summary: 'what properties mean, and which ones claims may ask for',
    verbs: {
      get: verb('show the properties of a kind', async () => (await definition()).get),
      list: verb('list the kinds of objects', async () => (await definition()).list),
      set: verb('define properties', async () => (await definition()).set),
    },
  },
};
