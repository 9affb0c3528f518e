import { test } from 'vitest'
import { connectTo, sqliteFile } from '../support/sqlite.ts'
import { proveSchemas } from './schemas.ts'

proveSchemas(test, async () => {
  const files = Array.from({ length: 3 }, () => sqliteFile())
  const [knex, leases] = files.map(({ file }) => connectTo(file)) as [
    ReturnType<typeof connectTo>,
    ReturnType<typeof connectTo>,
  ]
  await knex.raw('ATTACH ? AS shop', [`${files[2]?.file}.records`])
  await leases.raw('ATTACH ? AS shop', [`${files[2]?.file}.leases`])
  return {
    knex,
    leases,
    outside: async () => [
      ...(await knex.raw('SELECT name FROM main.sqlite_master')),
      ...(await leases.raw('SELECT name FROM main.sqlite_master')),
    ],
    async close() {
      await Promise.all([knex.destroy(), leases.destroy()])
      for (const file of files) await file.close()
    },
  }
})
