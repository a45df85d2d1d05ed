import { createClient } from '@connectrpc/connect';
import { ProjectSchema } from '../../../gen/runmachine/identity/v1/project_pb.ts';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatAgo, formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';

const noun: Noun<typeof ProjectSchema> = {
  singular: 'project',
  schema: ProjectSchema,
  name: (project) => project.name,
  fullName: (_, typed) => atTop('projects', typed),
  columns: [
    { title: 'NAME', value: (project) => lastSegment(project.name) },
    { title: 'DISPLAY NAME', value: (project) => project.spec?.displayName ?? '' },
    { title: 'CREATED', value: (project) => formatLocalTime(project.createTime) },
  ],
  people: (project, context) =>
    formatFields([
      ['name', project.name],
      ['uid', project.uid],
      ['display name', project.spec?.displayName ?? ''],
      ['created', formatAgo(project.createTime, context.clock.now())],
      ['tags', project.tags.join(' ')],
    ]),
};

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(ProjectService, context.transport());
  return (await client.getProject({ name }, callOptions(context))).project;
});

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(ProjectService, context.transport());
  const answer = await client.listProjects(page, callOptions(context));
  return { rows: answer.projects, nextPageToken: answer.nextPageToken };
});

export const create: Command = {
  summary: 'create a project',
  positionals: [{ name: 'name', help: 'name of the new project' }],
  options: { 'display-name': { type: 'string', value: 'TEXT', help: 'name for people' } },
  run: async (context, args) => {
    const client = createClient(ProjectService, context.transport());
    const projectId = newId(args.positional('name'));
    await client.createProject(
      {
        projectId,
        project: { spec: { displayName: args.string('display-name') ?? '' } },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    context.output.remark(`created projects/${projectId}`);
    context.output.remark(`next: runm user grant USER member --in-project ${projectId}`);
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(ProjectService, context.transport());
  await client.deleteProject(request, callOptions(context));
});
