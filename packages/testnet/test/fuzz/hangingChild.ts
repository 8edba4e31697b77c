// A double of fuzzChild.ts whose target never ends.
process.on('disconnect', () => process.exit(1))
process.send?.({ at: 'the one that hangs' })
setTimeout(() => {
  for (;;);
})
