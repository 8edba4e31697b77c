import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as Params from '../Params.ts'
import type { Chunk, Request, Source } from '../Source.ts'
import { SourceError, SourceSyntaxError } from '../SourceError.ts'

/** `file:///absolute/path` (RFC 8089, percent-encoded) or `file:path` as the shell would write it. */
export function parse(uri: string): Source {
  const path = toPath(uri)
  return { uri, space: (size, offset) => size - offset, read: (request) => read(path, request) }
}

export function toPath(uri: string): string {
  const rest = uri.slice('file:'.length)
  if (rest === '' || rest.includes('\0')) throw new SourceSyntaxError(uri, 'names no file')
  if (!rest.startsWith('//')) return resolve(rest)
  try {
    return fileURLToPath(uri)
  } catch {
    throw new SourceSyntaxError(uri, 'is no file URL of this machine')
  }
}

async function* read(path: string, { size, offset, signal }: Request): AsyncGenerator<Chunk> {
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new SourceError('refused', `${path} is not a file`)
    if (found.size !== size) {
      throw new SourceError('size', `${path} has ${found.size} bytes, the manifest says ${size}`)
    }
    let at = offset
    for await (const bytes of createReadStream(path, {
      start: offset,
      highWaterMark: Params.readBytes,
      signal,
    })) {
      yield { offset: at, bytes }
      at += bytes.length
    }
  } catch (error) {
    if (error instanceof SourceError) throw error
    signal.throwIfAborted()
    throw new SourceError('refused', error instanceof Error ? error.message : String(error), { cause: error })
  }
}
