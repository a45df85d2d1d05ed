/**
 * Server reflection v1 and v1alpha: the contract itself, so that grpcurl and `buf curl` need no
 * files.
 */
import { type DescFile, type DescMessage, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { ServerReflection } from '../../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionV1Alpha } from '../../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { type Implementation, implement } from '../service.ts';

/**
 * Both versions over the whole public set of services, the same in every configuration: whoever
 * asks one process learns the whole contract.
 */
export const reflectionServices = (services: readonly DescService[]): Implementation[] => {
  const index = createIndex([...services, ServerReflection, ServerReflectionV1Alpha]);
  return [
    implement(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = answer(index, request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    }),
    implement(ServerReflectionV1Alpha, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = answer(index, request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    }),
  ];
};

type Index = {
  readonly services: readonly DescService[];
  readonly byName: ReadonlyMap<string, DescFile>;
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** "<extended message> <number>" */
  readonly byExtension: ReadonlyMap<string, DescFile>;
};

const createIndex = (services: readonly DescService[]): Index => {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const byExtension = new Map<string, DescFile>();
  const addFile = (file: DescFile): void => {
    if (byName.has(file.proto.name)) return;
    byName.set(file.proto.name, file);
    const addMessage = (message: DescMessage): void => {
      bySymbol.set(message.typeName, file);
      for (const field of message.fields) bySymbol.set(`${message.typeName}.${field.name}`, file);
      for (const nested of message.nestedEnums) bySymbol.set(nested.typeName, file);
      for (const nested of message.nestedMessages) addMessage(nested);
    };
    for (const message of file.messages) addMessage(message);
    for (const one of file.enums) bySymbol.set(one.typeName, file);
    for (const service of file.services) {
      bySymbol.set(service.typeName, file);
      for (const { name } of service.methods) bySymbol.set(`${service.typeName}.${name}`, file);
    }
    for (const extension of file.extensions) {
      bySymbol.set(extension.typeName, file);
      byExtension.set(`${extension.extendee.typeName} ${extension.number}`, file);
    }
    for (const dependency of file.dependencies) addFile(dependency);
  };
  for (const service of services) addFile(service.file);
  return { services, byName, bySymbol, byExtension };
};

type Question =
  | { readonly case: 'fileByFilename' | 'fileContainingSymbol'; readonly value: string }
  | { readonly case: 'allExtensionNumbersOfType' | 'listServices'; readonly value: string }
  | {
      readonly case: 'fileContainingExtension';
      readonly value: { readonly containingType: string; readonly extensionNumber: number };
    }
  | { readonly case: undefined };

const answer = (index: Index, question: Question) => {
  switch (question.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse' as const,
        value: { service: index.services.map(({ typeName }) => ({ name: typeName })) },
      };
    case 'fileByFilename':
      return files(index.byName.get(question.value), question.value);
    case 'fileContainingSymbol':
      return files(index.bySymbol.get(question.value), question.value);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.value;
      const key = `${containingType} ${extensionNumber}`;
      return files(index.byExtension.get(key), key);
    }
    case 'allExtensionNumbersOfType': {
      const prefix = `${question.value} `;
      const numbers = [...index.byExtension.keys()].filter((key) => key.startsWith(prefix));
      return {
        case: 'allExtensionNumbersResponse' as const,
        value: {
          baseTypeName: question.value,
          extensionNumber: numbers.map((key) => Number(key.slice(prefix.length))),
        },
      };
    }
    case undefined:
      return failure(Code.InvalidArgument, 'The request asks nothing');
  }
};

const files = (file: DescFile | undefined, asked: string) => {
  if (file === undefined) return failure(Code.NotFound, `"${asked}" is not in this contract`);
  const closure = new Map<string, Uint8Array>();
  const add = (one: DescFile): void => {
    if (closure.has(one.proto.name)) return;
    closure.set(one.proto.name, toBinary(FileDescriptorProtoSchema, one.proto));
    for (const dependency of one.dependencies) add(dependency);
  };
  add(file);
  return {
    case: 'fileDescriptorResponse' as const,
    value: { fileDescriptorProto: [...closure.values()] },
  };
};

const failure = (errorCode: Code, errorMessage: string) => ({
  case: 'errorResponse' as const,
  value: { errorCode, errorMessage },
});
