import type { MetadataRecords } from '../ports.ts';
import { agentRecords } from './agent-records.ts';
import { certificateRecords } from './certificate-records.ts';
import { definitionRecords } from './definition-records.ts';
import { projectRecords } from './project-records.ts';
import { secretRecords } from './secret-records.ts';
import { joinTokenRecords, tokenRecords } from './token-records.ts';
import { bootstrapRecords } from './trust-records.ts';
import { userRecords } from './user-records.ts';

export const metadataRecords: MetadataRecords = {
  projects: projectRecords,
  definitions: definitionRecords,
  secrets: secretRecords,
  users: userRecords,
  tokens: tokenRecords,
  certificates: certificateRecords,
  joinTokens: joinTokenRecords,
  agents: agentRecords,
  bootstraps: bootstrapRecords,
};
