import type { Clock } from '../../../services/runtime/clock.ts';

/** Work that goes on after its answer (DSP0266, asynchronous operations). */
export type LabTask = {
  readonly id: string;
  readonly name: string;
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  readonly state: 'Running' | 'Completed' | 'Exception';
  /** What went wrong; empty = nothing. */
  readonly problem: string;
};

export type Tasks = {
  readonly list: () => readonly LabTask[];
  readonly find: (id: string) => LabTask | undefined;
  readonly start: (name: string, work: () => Promise<void>) => LabTask;
};

/** The oldest that ended make room. */
const TASKS_MAX = 20;

/** `told` hears of each task when it begins and when it ended. */
export const createTasks = (clock: Clock, told: (task: LabTask) => void): Tasks => {
  const tasks = new Map<string, LabTask>();
  let last = 0;
  const end = (task: LabTask, problem: string): void => {
    const state = problem === '' ? 'Completed' : 'Exception';
    const ended: LabTask = { ...task, state, problem, endedAt: clock.now() };
    tasks.set(task.id, ended);
    told(ended);
  };
  return {
    list: () => [...tasks.values()],
    find: (id) => tasks.get(id),
    start: (name, work) => {
      last += 1;
      const task: LabTask = {
        ...{ id: String(last), name, startedAt: clock.now(), endedAt: undefined },
        ...{ state: 'Running', problem: '' },
      };
      tasks.set(task.id, task);
      const ended = [...tasks.values()].find(({ state }) => state !== 'Running');
      if (tasks.size > TASKS_MAX && ended !== undefined) tasks.delete(ended.id);
      told(task);
      work().then(
        () => end(task, ''),
        (error: unknown) => end(task, error instanceof Error ? error.message : String(error)),
      );
      return task;
    },
  };
};
