import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import * as FileServer from './FileServer.ts'

export const wheelName = 'sample-1.0-py3-none-any.whl'

const found = spawnSync('python3', ['-m', 'pip', '--version'], { encoding: 'utf8' })

/** Why tests that need Python's pip are skipped, or undefined where it is there. */
export const missing =
  found.status === 0 ? undefined : `python3 with pip: ${found.error?.message ?? found.stderr.trim()}`

/** Writes `sample-1.0-py3-none-any.whl` with this member into a folder that pip's --find-links can take. */
export async function writeWheel(dir: string, member: string, bytes: Uint8Array): Promise<string> {
  const links = join(dir, 'links')
  await mkdir(links)
  await writeFile(join(dir, 'member'), bytes)
  const made = spawnSync('python3', ['-c', program, join(links, wheelName), member, join(dir, 'member')])
  if (made.status !== 0) throw new Error(made.stderr.toString())
  return links
}

/** A folder with `sample-1.0.tar.gz`, a package that would have to be built. */
export async function writeSourceDistribution(dir: string): Promise<string> {
  const links = join(dir, 'links')
  await mkdir(join(dir, 'sample-1.0'))
  await mkdir(links)
  await writeFile(
    join(dir, 'sample-1.0', 'setup.py'),
    "from setuptools import setup\nsetup(name='sample', version='1.0')\n",
  )
  const made = spawnSync('tar', ['czf', join(links, 'sample-1.0.tar.gz'), '-C', dir, 'sample-1.0'])
  if (made.status !== 0) throw new Error(made.stderr.toString())
  return links
}

/** A package index (PEP 503) with this one wheel, and the environment that sends pip there and nowhere else. */
export async function serveIndex(sendWheel: (response: ServerResponse) => void) {
  const server = await FileServer.start((request, response) => {
    if (request.url?.endsWith('.whl')) sendWheel(response)
    else
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<a href="/${wheelName}">${wheelName}</a>`)
  })
  const env = {
    PIP_INDEX_URL: new URL('/simple/', server.url).href,
    PIP_EXTRA_INDEX_URL: '',
    PIP_FIND_LINKS: '',
    PIP_NO_INDEX: '',
    PIP_CONFIG_FILE: '/dev/null',
    // Far longer than a test: pip itself does not give up.
    PIP_DEFAULT_TIMEOUT: '3600',
  }
  return { ...server, env }
}

const program = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(sys.argv[3], sys.argv[2])
    wheel.writestr('sample-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: sample\\nVersion: 1.0\\n')
    wheel.writestr('sample-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('sample-1.0.dist-info/RECORD', '')
`
