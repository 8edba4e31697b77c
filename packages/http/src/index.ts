export * as Body from './Body.ts'
export * as Door from './Door.ts'
export * as Params from './Params.ts'
export * as Reply from './Reply.ts'
