import type { Clock } from '../../runtime/clock.ts';
import type { Records } from '../ports.ts';
import { agentRecords } from './agent-records.ts';
import { createArtifactRecords } from './artifact-records.ts';
import { assignmentRecords } from './assignment-records.ts';
import { claimNewsRecords } from './claim-news-records.ts';
import { conflictRecords } from './conflict-records.ts';
import { consoleRecords, consoleTokenRecords } from './console-records.ts';
import { eventRecords } from './event-records.ts';
import { hardwareRecords } from './hardware-records.ts';
import { imageRecords } from './image-records.ts';
import { sweeperRecords } from './keeper-records.ts';
import { machineRecords } from './machine-records.ts';
import { operationRecords } from './operation-records.ts';
import { cleaningRecords, providerStateRecords } from './provider-records.ts';
import { sinkRecords } from './sink-records.ts';
import { taskRecords } from './task-records.ts';

/** All records of this service over one database. */
export const createRecords = (clock: Clock): Records => ({
  machines: machineRecords,
  operations: operationRecords,
  assignments: assignmentRecords,
  agents: agentRecords,
  events: eventRecords,
  claimNews: claimNewsRecords,
  sinks: sinkRecords,
  images: imageRecords,
  artifacts: createArtifactRecords(clock),
  providers: providerStateRecords,
  cleanings: cleaningRecords,
  conflicts: conflictRecords,
  hardware: hardwareRecords,
  tasks: taskRecords,
  consoles: consoleRecords,
  consoleTokens: consoleTokenRecords,
  sweepers: sweeperRecords,
});
