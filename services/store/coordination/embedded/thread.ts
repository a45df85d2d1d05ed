/** The thread that open-thread.ts starts. */
import { serveCoordination } from './serve-coordination.ts';

serveCoordination({});
