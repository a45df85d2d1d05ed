import test from 'ava';
import { isStaticElf, isStaticHeader } from '../../../../deploy/tools/elf.ts';

/** A 64-bit little-endian ELF header with one program header per type. */
const header = (...types: readonly number[]): Buffer => {
  const entryBytes = 56;
  const head = Buffer.alloc(64 + types.length * entryBytes);
  head.writeUInt32BE(0x7f454c46, 0);
  head[4] = 2;
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(entryBytes, 54);
  head.writeUInt16LE(types.length, 56);
  types.forEach((type, i) => {
    head.writeUInt32LE(type, 64 + i * entryBytes);
  });
  return head;
};

const LOAD = 1;
const INTERPRETER = 3;

test('a program that names a loader is dynamic, one that names none is static', (t) => {
  t.true(isStaticHeader(header(LOAD, LOAD)));
  t.false(isStaticHeader(header(LOAD, INTERPRETER)));
});

test('what is no ELF program is not taken for a static one', (t) => {
  t.false(isStaticHeader(Buffer.from('#!/bin/sh\n'.padEnd(100))));
  t.false(isStaticHeader(Buffer.alloc(0)));
  t.false(isStaticHeader(header()));
  t.false(isStaticHeader(header(LOAD, LOAD).subarray(0, 100)));
  t.false(isStaticElf('/nonexistent'));
});

test('the Node.js that runs this is dynamic', (t) => {
  t.false(isStaticElf(process.execPath));
});
