import { create } from '@bufbuild/protobuf';
import { ProjectSchema } from '../../../gen/runmachine/identity/v1/project_pb.ts';
import {
  CreateProjectResponseSchema,
  DeleteProjectResponseSchema,
  ProjectService,
} from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { accessOf } from '../../runtime/context.ts';
import { pageOfMessages } from '../../runtime/message-page.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import {
  CHILDREN_ASKED,
  DEPTH_MAX,
  demandNoChildren,
  demandOwnsNothing,
  demandParent,
  type Project,
  projectName,
} from '../domain/project.ts';
import { newHead } from '../domain/record.ts';
import type { ProjectFilter } from '../ports.ts';
import { parentIdOf, projectMessage, propertiesOf } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { checkLockedEtag, etagFor, idIn, missing, mutate, nameKey, pageOf } from './mutate.ts';
import { updateProject } from './project-update.ts';

export const projectService = (deps: RpcDeps): Implementation => {
  const { store, records, clock, random, questions } = deps;
  const toMessage = (project: Project) => projectMessage(project, etagFor(deps, project));
  return implement(ProjectService, {
    getProject: async ({ name }, context) => {
      const found = await store.read((reader) => records.projects.find(reader, idIn(name)));
      if (found === undefined || !isVisible(accessOf(context), found)) throw missing(name);
      return { project: toMessage(found) };
    },
    listProjects: async (request, context) => {
      const filter = filterOf(accessOf(context));
      const page = pageOf(deps, request, {});
      const rows = await store.read((reader) => records.projects.list(reader, filter, page));
      const { messages, nextPageToken } = pageOfMessages(page, rows, {
        schema: ProjectSchema,
        toMessage,
        keyOf: nameKey,
      });
      return { projects: messages, nextPageToken };
    },
    createProject: ({ projectId, project, validateOnly }, context) =>
      mutate(deps, context, { response: CreateProjectResponseSchema, validateOnly }, async (tx) => {
        const nowMs = clock.now().getTime();
        const parent = project === undefined ? '' : parentIdOf(project);
        const above = parent === '' ? [] : await projectsAbove(deps, tx, parent);
        demandParent(parent, above);
        const made: Project = {
          ...newHead({ uid: random.uid(), id: projectId, nowMs }),
          generation: 1,
          displayName: project?.spec?.displayName ?? '',
          parent: above?.[0]?.id ?? '',
          contacts: project?.spec?.contacts ?? [],
          properties: project === undefined ? {} : propertiesOf(project),
          tags: project?.tags ?? [],
        };
        await records.projects.insert(tx, made);
        tx.audit({
          action: 'project.create',
          objectKind: 'project',
          objectUid: made.uid,
          objectName: projectName(made),
          projectUid: made.uid,
          after: made,
        });
        return create(CreateProjectResponseSchema, { project: toMessage(made) });
      }),
    updateProject: (request, context) => updateProject(deps, request, context),
    deleteProject: async ({ name, etag, allowMissing }, context) => {
      const found = await store.read((reader) => records.projects.find(reader, idIn(name)));
      if (found !== undefined) {
        // Asked outside the transaction: what another service owns cannot be locked here. Whoever
        // makes something in the project at this moment finds it gone at its next step.
        demandOwnsNothing(projectName(found), await questions.ownedBy(found.id, context.signal));
      }
      return mutate(deps, context, { response: DeleteProjectResponseSchema }, async (tx) => {
        const project = await records.projects.lock(tx, found?.uid ?? idIn(name));
        if (project === undefined) {
          if (allowMissing) return create(DeleteProjectResponseSchema);
          throw missing(name);
        }
        checkLockedEtag(deps, etag, project);
        const children = await records.projects.childrenOf(tx, project.id, CHILDREN_ASKED);
        demandNoChildren(projectName(project), children);
        demandOwnsNothing(projectName(project), await ownedHere(deps, tx, project));
        await records.projects.remove(tx, project);
        await records.users.removeGrantsInProject(tx, project.id);
        tx.audit({
          action: 'project.delete',
          objectKind: 'project',
          objectUid: project.uid,
          objectName: projectName(project),
          projectUid: project.uid,
          before: project,
        });
        return create(DeleteProjectResponseSchema);
      });
    },
  });
};

/**
 * The parent, its parent and so on; undefined: the parent is not there. The parent cannot go before
 * the transaction ends, and so none above it can.
 */
const projectsAbove = async (
  { records }: RpcDeps,
  tx: Tx,
  parent: string,
): Promise<readonly Project[] | undefined> => {
  const nearest = await records.projects.hold(tx, parent);
  if (nearest === undefined) return undefined;
  const above = [nearest];
  for (let last = nearest; last.parent !== '' && above.length < DEPTH_MAX; ) {
    const next = await records.projects.find(tx, last.parent);
    if (next === undefined) break;
    above.push(next);
    last = next;
  }
  return above;
};

// Secrets are made under a hold on their project's row, which this transaction has locked.
const ownedHere = async ({ records }: RpcDeps, tx: Tx, { id }: Project) => {
  const one = { size: 1, limit: 1, tokenAt: () => '' };
  return (await records.secrets.list(tx, { only: [id] }, one)).length > 0 ? ['secrets'] : [];
};

// A grant on a whole partition says nothing about which projects there are.
const filterOf = ({ everything, projects, pairs }: Access): ProjectFilter => ({
  only: everything ? undefined : [...projects, ...pairs.map(({ project }) => project)],
});

const isVisible = (access: Access, { id }: Project): boolean => {
  const { only } = filterOf(access);
  return only === undefined || only.some((one) => one.toLowerCase() === id.toLowerCase());
};
