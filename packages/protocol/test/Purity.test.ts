import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const folder = new URL('../src/', import.meta.url)
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
)

/** What would reach for a clock, a network, a disk, randomness or a platform. */
const impure: Readonly<Record<string, RegExp>> = {
  'a module of Node': /from '(?:node:|fs|path|crypto|os|child_process)/,
  'a module loaded late': /\bimport\(|\brequire\(/,
  'the clock': /\bDate\b|\bperformance\b|\bsetTimeout\b|\bsetInterval\b|\bqueueMicrotask\b/,
  randomness: /Math\.random|getRandomValues|randomBytes|randomUUID|randomSecretKey/,
  'the network': /\bfetch\b|\bXMLHttpRequest\b|\bWebSocket\b/,
  'the process':
    /\bprocess\.(?:env|argv|exit|cwd|hrtime|std\w+|nextTick|on|pid|uptime|versions|platform)\b|\bglobalThis\b|\bconsole\b|\bBuffer\b/,
  'a platform of its own': /\bcrypto\.|\bTextDecoder\b|\bTextEncoder\b|\bURL\b|\batob\b|\bbtoa\b/,
}

/** The code without comments, strings' insides and templates' texts kept: an import's name is one. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/\/\/.*$/gm, '')
}

describe('protocol is pure', () => {
  it('is compiled without the globals of any platform', () => {
    const { compilerOptions } = JSON.parse(readFileSync(new URL('../tsconfig.json', import.meta.url), 'utf8'))
    expect(compilerOptions).toMatchObject({ lib: ['es2023'] })
    expect(compilerOptions.types ?? []).toEqual([])
  })

  it('has sources to look at', () => {
    expect(files.length).toBeGreaterThan(30)
  })

  it.each(files)('%s', (name) => {
    const text = code(readFileSync(new URL(name, folder), 'utf8'))
    for (const [what, pattern] of Object.entries(impure))
      expect(text.match(pattern)?.[0], what).toBe(undefined)
    const imports = [...text.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '')
    const foreign = imports.filter((one) => !/^\.{1,2}\/[\w/]+\.ts$/.test(one))
    expect(foreign.filter((one) => !/^(@noble\/(hashes|curves)\/|canonicalize$)/.test(one))).toEqual([])
  })

  it('would notice', () => {
    const notice = (line: string) => Object.values(impure).some((pattern) => pattern.test(code(line)))
    for (const line of [
      'Date.now()',
      "import fs from 'node:fs'",
      'Math.random()',
      'process.env',
      'fetch(x)',
      'console.log(1)',
    ])
      expect(notice(line), line).toBe(true)
    expect(notice('// Date.now() is the caller’s')).toBe(false)
  })
})
