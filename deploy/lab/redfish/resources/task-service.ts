import type { LabContext, Route } from '../context.ts';
import { type Json, type LabReply, link, messageOf } from '../message.ts';
import type { LabTask } from '../tasks.ts';
import { ROOT, TASKS } from './paths.ts';
import { collection, HEALTHY, resource } from './shape.ts';

const SERVICE = `${ROOT}/TaskService`;
const MONITORS = `${SERVICE}/TaskMonitors`;

const serviceOf = ({ clock }: LabContext): Json =>
  resource('TaskService', SERVICE, {
    Name: 'Task service',
    ServiceEnabled: true,
    DateTime: clock.now().toISOString(),
    CompletedTaskOverWritePolicy: 'Oldest',
    LifeCycleEventOnTaskStateChange: false,
    Status: HEALTHY,
    Tasks: link(TASKS),
  });

const taskOf = (task: LabTask): Json =>
  resource('Task', `${TASKS}/${task.id}`, {
    Name: task.name,
    TaskState: task.state,
    StartTime: task.startedAt.toISOString(),
    ...endOf(task),
    TaskMonitor: `${MONITORS}/${task.id}`,
    Messages: task.problem === '' ? [] : [messageOf('InternalError', task.problem)],
  });

/** How it went is said of a task that ended, and of no other (DSP0268, Task). */
const endOf = ({ state, endedAt }: LabTask): Json =>
  endedAt === undefined
    ? {}
    : {
        EndTime: endedAt.toISOString(),
        TaskStatus: state === 'Exception' ? 'Critical' : 'OK',
      };

/** The answer to a call that goes on as a task. */
export const taskReply = (task: LabTask): LabReply => ({
  status: 202,
  headers: { location: `${MONITORS}/${task.id}`, 'retry-after': '1' },
  body: taskOf(task),
});

/** What the monitor answers: 202 while it runs. */
export const monitorReply = (context: LabContext, id: string): LabReply | undefined => {
  const task = context.tasks.find(id);
  if (task === undefined) return undefined;
  return task.state === 'Running' ? taskReply(task) : { status: 200, body: taskOf(task) };
};

export const monitorIdIn = (path: string): string | undefined =>
  path.startsWith(`${MONITORS}/`) ? path.slice(MONITORS.length + 1) : undefined;

export const TASK_ROUTES: readonly Route[] = [
  { path: SERVICE, get: serviceOf },
  {
    path: TASKS,
    get: ({ tasks }) =>
      collection('Task', TASKS, { name: 'Tasks', ids: tasks.list().map(({ id }) => id) }),
  },
  {
    path: `${TASKS}/{id}`,
    get: ({ tasks }, { id }) => {
      const task = tasks.find(id);
      return task === undefined ? undefined : taskOf(task);
    },
  },
];
