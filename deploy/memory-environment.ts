/**
 * Environment of the services, which hold many connections: services/main.ts run. Each TLS
 * connection keeps a buffer of 64 KiB of which it uses a page or two. Above the threshold glibc
 * maps memory apart, so that the rest of a buffer costs nothing; below it buffers lie where
 * something else has been, and count in full. Before it maps anything it looks whether the end of
 * its heap has room, so nothing is left there in advance. The buffers of 16 KiB stay below: one is
 * taken for each message that is sent, and would be mapped and unmapped each time. Other C
 * libraries ignore the variables. They must be set from outside, since they are read before the
 * first line runs. An agent and `npm start` do without: they have few connections, and their guests
 * would inherit what does not suit qemu.
 */
export const MEMORY_ENVIRONMENT = {
  MALLOC_MMAP_THRESHOLD_: '32768',
  MALLOC_TOP_PAD_: '0',
} as const;
