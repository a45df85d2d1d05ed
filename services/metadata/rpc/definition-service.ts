import { create } from '@bufbuild/protobuf';
import {
  DefinitionService,
  SetDefinitionResponseSchema,
} from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { closePage } from '../../store/sql/page.ts';
import {
  DEFINED_KINDS,
  type Definition,
  definitionName,
  demandDistinctKeys,
  emptyDefinition,
  redefined,
} from '../domain/definition.ts';
import { idOf } from './convert.ts';
import { definitionMessage, propertyDefinitionsOf } from './definition-message.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate, pageOf } from './mutate.ts';

export const definitionService = (deps: RpcDeps): Implementation => {
  const { store, records, clock } = deps;
  const toMessage = (definition: Definition) =>
    definitionMessage(definition, etagFor(deps, definition));
  return implement(DefinitionService, {
    getDefinition: async ({ name }, context) => {
      // Definitions are everybody's who may read any.
      accessOf(context);
      const found = await store.read((reader) => records.definitions.find(reader, idIn(name)));
      if (found === undefined) throw missing(name);
      return { definition: toMessage(found) };
    },
    listDefinitions: async (request, context) => {
      accessOf(context);
      const page = pageOf(deps, request, {});
      const [after = ''] = page.after ?? [];
      const stored = await store.read((reader) => records.definitions.list(reader));
      const all = DEFINED_KINDS.flatMap(
        (kind) => stored.find(({ id }) => id === kind) ?? emptyDefinition(kind) ?? [],
      );
      const rest = all.filter(({ id }) => id > String(after)).slice(0, page.limit);
      const { rows, nextPageToken } = closePage(page, rest, ({ id }) => [id]);
      return { definitions: rows.map(toMessage), nextPageToken };
    },
    setDefinition: ({ definition }, context) =>
      mutate(deps, context, { response: SetDefinitionResponseSchema }, async (tx) => {
        const name = definition?.name ?? '';
        const id = idOf('definition.name', 'definitions', name);
        const properties = definition === undefined ? [] : propertyDefinitionsOf(definition);
        demandDistinctKeys(properties);
        const locked = await records.definitions.lock(tx, id);
        if (locked === undefined) throw missing(name);
        checkLockedEtag(deps, definition?.etag ?? '', locked);
        const saved = redefined(locked, properties, clock.now().getTime());
        await records.definitions.save(tx, saved);
        tx.audit({
          action: 'definition.set',
          objectKind: 'definition',
          objectUid: saved.uid,
          objectName: definitionName(saved),
          before: locked.properties,
          after: properties,
        });
        return create(SetDefinitionResponseSchema, { definition: toMessage(saved) });
      }),
  });
};
