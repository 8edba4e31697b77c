import { defineConfig } from 'vitest/config'

// Our packages export their sources under the condition `source`: no build stands between an edit and its test.
export default defineConfig({
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['*.test.ts', 'packages/*/{src,test,bench}/**/*.test.ts', 'contracts/scripts/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
})
