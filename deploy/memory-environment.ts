/**
 * Environment of the services, which hold many connections: services/main.ts run. Each TLS
 * connection keeps buffers of 16 and 64 KiB of which it uses a page or two. Above this size glibc
 * maps memory apart, so that the rest of a buffer costs nothing; below it buffers lie where
 * something else has been, and count in full. Other C libraries ignore the variable. It must be set
 * from outside, since it is read before the first line runs. An agent and `npm start` do without:
 * they have few connections, and their guests would inherit what does not suit qemu.
 */
export const MEMORY_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: '16384' } as const;
