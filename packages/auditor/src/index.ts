export * from './check/index.ts'
