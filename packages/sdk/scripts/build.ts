// `npm run build -w @counterfoil/sdk`: dist/index.js for bundlers and Node (dependencies stay imports), and dist/verify.js,
// one file without imports, for browsers. Two builds, because one with two entries would share chunks between them.
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))

async function bundle(name: 'index' | 'verify', external: readonly RegExp[]): Promise<void> {
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    resolve: { conditions: ['source'] },
    build: {
      target: 'es2023',
      emptyOutDir: false,
      reportCompressedSize: false,
      lib: { entry: `src/${name}.ts`, formats: ['es'], fileName: () => `${name}.js` },
      rolldownOptions: { external: [...external], output: { minify: true } },
    },
  })
}

await bundle('index', [/^viem/])
await bundle('verify', [])
