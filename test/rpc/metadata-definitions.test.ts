import type { MessageInitShape } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import {
  type PropertyDefinitionSchema,
  PropertyKind,
} from '../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { newId, startMetadata } from './metadata-fixture.ts';
import { makeUser } from './metadata-people.ts';

const NAME = 'definitions/runm.provider';
type Init = MessageInitShape<typeof PropertyDefinitionSchema>;

const ZONE: Init = {
  key: 'zone',
  kind: PropertyKind.STRING,
  schedulable: true,
  description: 'Fire zone',
};

const start = async (t: Parameters<typeof startMetadata>[0]) => {
  const fixture = await startMetadata(t);
  return { fixture, definitions: createClient(DefinitionService, fixture.admin) };
};

test('every kind of object has a definition, empty until somebody sets it', async (t) => {
  const { definitions } = await start(t);
  const { definitions: all } = await definitions.listDefinitions({});
  t.deepEqual(
    all.map(({ name }) => name),
    ['claim', 'image', 'machine', 'partition', 'provider', 'provider_group'].map(
      (kind) => `definitions/runm.${kind}`,
    ),
  );
  t.true(all.every((one) => one.generation === 0n && one.spec?.properties.length === 0));
  const { definition } = await definitions.getDefinition({ name: NAME });
  t.is(definition?.updateTime, undefined);
  t.not(definition?.etag, '');
  await definitions.setDefinition({ definition: { name: NAME, spec: { properties: [ZONE] } } });
  const first = await definitions.listDefinitions({ pageSize: 4 });
  const rest = await definitions.listDefinitions({ pageSize: 4, pageToken: first.nextPageToken });
  t.deepEqual([first.definitions.length, rest.definitions.length], [4, 2]);
  t.is(rest.definitions[0]?.spec?.properties[0]?.key, 'zone');
});

test('a definition is kept whole, and its generation grows only when it changes', async (t) => {
  const { definitions } = await start(t);
  const set = (properties: Init[], etag = '') =>
    definitions.setDefinition({ definition: { name: NAME, etag, spec: { properties } } });
  const empty = (await definitions.getDefinition({ name: NAME })).definition;
  const cost = { key: 'cost', kind: PropertyKind.NUMBER, schedulable: false, description: '' };
  const { definition: one } = await set([ZONE, cost], empty?.etag);
  t.like(one?.spec, { properties: [ZONE, cost] });
  t.is(one?.generation, 1n);
  t.deepEqual((await definitions.getDefinition({ name: 'definitions/RUNM.Provider' })).definition, {
    ...(one ?? t.fail()),
  });
  const { definition: same } = await set([ZONE, cost]);
  t.is(same?.generation, 1n);
  t.not(same?.etag, one?.etag);
  await refused(t, set([ZONE], one?.etag), { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  const { definition: two } = await set([], same?.etag);
  t.is(two?.generation, 2n);
  t.deepEqual(two?.spec?.properties, []);
});

test('two editors that read the same empty definition do not both set it', async (t) => {
  const { definitions } = await start(t);
  const { definition } = await definitions.getDefinition({ name: NAME });
  const outcomes = await Promise.allSettled(
    ['a', 'b'].map((key) =>
      definitions.setDefinition({
        definition: { name: NAME, etag: definition?.etag ?? '', spec: { properties: [{ key }] } },
      }),
    ),
  );
  t.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
});

test('a key that is defined twice is refused by its place', async (t) => {
  const { definitions } = await start(t);
  const twice = definitions.setDefinition({
    definition: { name: NAME, spec: { properties: [ZONE, { key: 'cost' }, ZONE] } },
  });
  const error = await refused(t, twice, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
  t.is(error.metadata.field, 'definition.spec.properties[2].key');
  t.is((await definitions.getDefinition({ name: NAME })).definition?.generation, 0n);
});

test('a repeated request sets once', async (t) => {
  const { definitions } = await start(t);
  const request = { definition: { name: NAME, spec: { properties: [ZONE] } }, requestId: newId() };
  const first = await definitions.setDefinition(request);
  await definitions.setDefinition({ definition: { name: NAME } });
  t.deepEqual(await definitions.setDefinition(request), first);
  t.deepEqual((await definitions.getDefinition({ name: NAME })).definition?.spec?.properties, []);
});

test('kinds of objects that there are not are not found, whatever is asked', async (t) => {
  const { definitions } = await start(t);
  const absent = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
  const name = 'definitions/runm.switch';
  await refused(t, definitions.getDefinition({ name }), absent);
  await refused(t, definitions.setDefinition({ definition: { name } }), absent);
  const nameless = definitions.setDefinition({ definition: { name: 'runm.provider' } });
  await refused(t, nameless, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
});

test('a member reads definitions and sets none', async (t) => {
  const { fixture } = await start(t);
  const projects = createClient(ProjectService, fixture.admin);
  await projects.createProject({ projectId: 'red', project: {}, requestId: newId() });
  const grant = { role: 'roles/member', project: 'projects/red' };
  const member = createClient(DefinitionService, await makeUser(fixture, 'ann', grant));
  t.is((await member.getDefinition({ name: NAME })).definition?.name, NAME);
  t.is((await member.listDefinitions({})).definitions.length, 6);
  const set = member.setDefinition({ definition: { name: NAME } });
  await refused(t, set, { kind: 'permission_denied', reason: 'NOT_ALLOWED' });
});
