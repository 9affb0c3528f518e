import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    ioredis: 'src/entries/ioredis.ts',
    knex: 'src/entries/knex.ts',
    pg: 'src/entries/pg.ts',
    redlock: 'src/entries/redlock.ts',
    testing: 'src/entries/testing.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node22',
  splitting: true,
  clean: true,
  removeNodeProtocol: false,
  // `await using` needs the symbol's typing also where `lib` is older.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
})
