/** What a subject does, as a .cpuprofile, between two questions of its parent. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

let session: Session | undefined;

export const beginProfile = async (): Promise<void> => {
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
};

export const endProfile = async ({ file }: { readonly file: string }): Promise<void> => {
  const profile = await session?.post('Profiler.stop');
  writeFileSync(file, JSON.stringify(profile?.profile));
  session?.disconnect();
};
