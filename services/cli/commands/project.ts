import { createClient } from '@connectrpc/connect';
import { ProjectSchema } from '../../../gen/runmachine/identity/v1/project_pb.ts';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Option } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatAgo, formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const noun: Noun<typeof ProjectSchema> = {
  singular: 'project',
  schema: ProjectSchema,
  name: (project) => project.name,
  fullName: (_, typed) => atTop('projects', typed),
  columns: [
    { title: 'NAME', value: (project) => lastSegment(project.name) },
    { title: 'DISPLAY NAME', value: (project) => project.spec?.displayName ?? '' },
    { title: 'INSIDE', value: (project) => lastSegment(project.spec?.parentProject ?? '') },
    { title: 'CREATED', value: (project) => formatLocalTime(project.createTime) },
  ],
  people: (project, context) =>
    formatFields([
      ['name', project.name],
      ['uid', project.uid],
      ['display name', project.spec?.displayName ?? ''],
      ['inside', project.spec?.parentProject ?? ''],
      ['contacts', (project.spec?.contacts ?? []).join(' ')],
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

const CHANGEABLE: Readonly<Record<string, Option>> = {
  'display-name': { type: 'string', value: 'TEXT', help: 'name for people' },
  contact: {
    type: 'string',
    multiple: true,
    value: 'ADDRESS',
    help: 'who gets mail when a claim ends soon or is at risk',
  },
};

export const create: Command = {
  summary: 'create a project',
  positionals: [{ name: 'name', help: 'name of the new project' }],
  options: {
    ...CHANGEABLE,
    parent: { type: 'string', value: 'PROJECT', help: 'project inside which it is, for good' },
  },
  run: async (context, args) => {
    const client = createClient(ProjectService, context.transport());
    const projectId = newId(args.positional('name'));
    const parent = args.string('parent');
    await client.createProject(
      {
        projectId,
        project: {
          spec: {
            displayName: args.string('display-name') ?? '',
            parentProject: parent === undefined ? '' : atTop('projects', parent),
            contacts: [...args.strings('contact')],
          },
        },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    context.output.remark(`created projects/${projectId}`);
    context.output.remark(`next: runm user grant USER member --in-project ${projectId}`);
    return undefined;
  },
};

export const update: Command = {
  summary: 'change what a project says; given contacts replace the present ones',
  positionals: [{ name: 'name', help: 'name or uid of the project' }],
  options: { ...CHANGEABLE, 'no-contacts': { type: 'boolean', help: 'nobody gets mail' } },
  run: async (context, args) => {
    const contacts = [...args.strings('contact')];
    const isNobody = args.flag('no-contacts');
    if (isNobody && contacts.length > 0) {
      throw new UsageError('--no-contacts and --contact exclude each other');
    }
    const displayName = args.string('display-name');
    const paths = [
      ...(displayName === undefined ? [] : ['spec.display_name']),
      ...(isNobody || contacts.length > 0 ? ['spec.contacts'] : []),
    ];
    if (paths.length === 0) throw new UsageError('nothing to change', 'see --help');
    const name = atTop('projects', args.positional('name'));
    const client = createClient(ProjectService, context.transport());
    const { project } = await client.updateProject(
      {
        project: { name, spec: { displayName: displayName ?? '', contacts } },
        updateMask: { paths },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (project) {
      await showOne(context.output, noun, {
        message: project,
        people: () => noun.people(project, context),
      });
    }
    return undefined;
  },
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(ProjectService, context.transport());
  await client.deleteProject(request, callOptions(context));
});
