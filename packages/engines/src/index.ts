export * as Engine from './Engine.ts'
export * as Llama from './llama/Llama.ts'
export * as Tokenizer from './llama/Tokenizer.ts'
export * as Params from './Params.ts'
