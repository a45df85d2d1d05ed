import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { ProjectSchema } from '../../../gen/runmachine/identity/v1/project_pb.ts';
import {
  type UpdateProjectRequest,
  UpdateProjectResponseSchema,
} from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { demandSameParent, type Project, projectName } from '../domain/project.ts';
import { parentIdOf, projectMessage, propertiesOf } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate } from './mutate.ts';

const MASK = resourceMask(ProjectSchema);

export const updateProject = async (
  deps: RpcDeps,
  request: UpdateProjectRequest,
  context: HandlerContext,
) => {
  const { records, clock } = deps;
  const { updateMask, validateOnly, project: wanted = create(ProjectSchema) } = request;
  MASK.check(updateMask);
  const access = accessOf(context);
  const response = UpdateProjectResponseSchema;
  return mutate(deps, context, { response, validateOnly }, async (tx) => {
    const before = await records.projects.lock(tx, idIn(wanted.name));
    if (before === undefined || !access.covers({ project: before.id })) throw missing(wanted.name);
    checkLockedEtag(deps, wanted.etag, before);
    const masked = MASK.apply(updateMask, wanted, projectMessage(before, ''));
    demandSameParent(before, parentIdOf(masked));
    const after: Project = {
      ...before,
      displayName: masked.spec?.displayName ?? '',
      contacts: masked.spec?.contacts ?? [],
      properties: propertiesOf(masked),
      tags: masked.tags,
      updateMs: clock.now().getTime(),
    };
    const saved = { ...after, generation: before.generation + (isSameSpec(before, after) ? 0 : 1) };
    await records.projects.save(tx, saved);
    tx.audit({
      action: 'project.update',
      objectKind: 'project',
      objectUid: saved.uid,
      objectName: projectName(saved),
      projectUid: saved.uid,
      before,
      after: saved,
    });
    return create(response, { project: projectMessage(saved, etagFor(deps, saved)) });
  });
};

const isSameSpec = (before: Project, after: Project): boolean =>
  before.displayName === after.displayName &&
  JSON.stringify(before.contacts) === JSON.stringify(after.contacts);
