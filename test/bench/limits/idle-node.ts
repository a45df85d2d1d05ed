/**
 * Node with the libraries that the product stands on loaded, and nothing done: the limit of the
 * bench `idle`.
 */
import 'reflect-metadata';
import '@bufbuild/protovalidate';
import '@connectrpc/connect-node';
import '@grpc/grpc-js';
import '@mikro-orm/sql';
import '@peculiar/x509';
import 'pino';
import 'prom-client';
import { hasParent, serveParent } from '../serve-parent.ts';

const rssBytes = (): number => process.memoryUsage.rss();

if (hasParent()) serveParent({ rssBytes });
else console.log(JSON.stringify({ rssBytes: rssBytes() }));
